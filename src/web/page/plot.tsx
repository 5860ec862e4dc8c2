import { useEffect, useRef } from 'preact/hooks'
import { useDark } from './curves.tsx'
import { type Camera, draw, inside, nearest, type Points, placeAt, type Size, whole, zoomed } from './scatter.ts'

type Pixel = [number, number]

export interface PlotProps {
  readonly points: Points
  readonly label: string
  readonly chosen: ReadonlySet<number>
  readonly under: number | null
  /** whether dragging draws a line around points, and not the view */
  readonly lasso: boolean
  readonly camera: Camera
  move(camera: Camera): void
  choose(points: readonly number[]): void
  point(at: number | null): void
}

/** Points to look at: dragging moves them or draws a lasso, the wheel and keys zoom, the pointer names the point under it. */
export function Plot(props: PlotProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const dark = useDark()
  const latest = useRef(props)
  latest.current = props
  const line = useRef<Pixel[]>([])
  const redraw = useRef(() => {})

  useEffect(() => {
    const element = canvas.current as HTMLCanvasElement
    const brush = element.getContext('2d') as CanvasRenderingContext2D
    let asked = 0
    redraw.current = () => {
      asked ||= requestAnimationFrame(() => {
        asked = 0
        const began = performance.now()
        paint(element, brush, { ...latest.current, line: line.current })
        element.dataset.milliseconds = (performance.now() - began).toFixed(2)
      })
    }
    const wheel = (event: WheelEvent) => {
      event.preventDefault()
      const { camera, move } = latest.current
      move(zoomed(camera, Math.exp(-event.deltaY / 400), { pixel: pixelOf(event, element), size: sizeOf(element) }))
    }
    element.addEventListener('wheel', wheel, { passive: false })
    const watch = new ResizeObserver(() => redraw.current())
    watch.observe(element)
    return () => {
      cancelAnimationFrame(asked)
      element.removeEventListener('wheel', wheel)
      watch.disconnect()
    }
  }, [])
  useEffect(() => redraw.current(), [props.points, props.chosen, props.under, props.camera, dark])

  const press = (event: PointerEvent) => {
    const element = event.currentTarget as HTMLCanvasElement
    element.setPointerCapture(event.pointerId)
    line.current = [pixelOf(event, element)]
  }
  const drag = (event: PointerEvent) => {
    const element = event.currentTarget as HTMLCanvasElement
    const { camera, lasso, points } = props
    const [pixel, size] = [pixelOf(event, element), sizeOf(element)]
    const before = line.current.at(-1)
    if (!before) return props.point(nearest(points, pixel, { camera, size }))
    line.current.push(pixel)
    if (lasso) return redraw.current()
    const [was, is] = [placeAt(before, size, camera), placeAt(pixel, size, camera)]
    props.move({ ...camera, x: camera.x + was[0] - is[0], y: camera.y + was[1] - is[1] })
  }
  const release = (event: PointerEvent) => {
    const size = sizeOf(event.currentTarget as HTMLCanvasElement)
    const drawn = line.current
    line.current = []
    if (props.lasso && drawn.length > 2) {
      props.choose(
        inside(
          props.points,
          drawn.map((pixel) => placeAt(pixel, size, props.camera)),
        ),
      )
    }
    redraw.current()
  }
  const key = (event: KeyboardEvent) => {
    const size = sizeOf(event.currentTarget as HTMLCanvasElement)
    const moved = byKey(event.key, props.camera, size)
    if (!moved) return
    event.preventDefault()
    props.move(moved)
  }
  return (
    <canvas
      ref={canvas}
      class={`points ${props.lasso ? 'lasso' : ''}`}
      tabIndex={0}
      aria-label={`${props.label}. Arrow keys move, plus and minus zoom, 0 shows all.`}
      onPointerDown={press}
      onPointerMove={drag}
      onPointerUp={release}
      onPointerCancel={release}
      onPointerLeave={() => line.current.length === 0 && props.point(null)}
      onKeyDown={key}
    />
  )
}

function byKey(key: string, camera: Camera, size: Size): Camera | null {
  const step = 0.2 / camera.zoom
  const pixel: Pixel = [size.width / 2, size.height / 2]
  const moves: Readonly<Record<string, () => Camera>> = {
    ArrowLeft: () => ({ ...camera, x: camera.x - step }),
    ArrowRight: () => ({ ...camera, x: camera.x + step }),
    ArrowUp: () => ({ ...camera, y: camera.y + step }),
    ArrowDown: () => ({ ...camera, y: camera.y - step }),
    '+': () => zoomed(camera, 1.5, { pixel, size }),
    '=': () => zoomed(camera, 1.5, { pixel, size }),
    '-': () => zoomed(camera, 1 / 1.5, { pixel, size }),
    '0': () => whole,
  }
  return moves[key]?.() ?? null
}

/** In the page's pixels. */
const sizeOf = ({ clientWidth, clientHeight }: HTMLCanvasElement): Size => ({
  width: clientWidth,
  height: clientHeight,
})

function pixelOf({ clientX, clientY }: MouseEvent, element: HTMLCanvasElement): Pixel {
  const { left, top } = element.getBoundingClientRect()
  return [clientX - left, clientY - top]
}

/** Draws on all pixels that the screen has. */
function paint(
  element: HTMLCanvasElement,
  brush: CanvasRenderingContext2D,
  { points, camera, chosen, under, line, lasso }: PlotProps & { line: readonly Pixel[] },
): void {
  const size = sizeOf(element)
  const ratio = devicePixelRatio
  const [width, height] = [Math.round(ratio * size.width), Math.round(ratio * size.height)]
  if (element.width !== width) element.width = width
  if (element.height !== height) element.height = height
  brush.setTransform(ratio, 0, 0, ratio, 0, 0)
  const style = getComputedStyle(document.documentElement)
  const color = (name: string) => style.getPropertyValue(name).trim()
  const colors = Array.from({ length: classColors }, (_, i) => color(`--class-${i}`))
  draw(brush, points, { camera, size, look: { colors, rim: color('--text'), chosen, under } })
  if (!lasso || line.length < 2) return
  brush.strokeStyle = color('--accent')
  brush.lineWidth = 2
  brush.beginPath()
  for (const pixel of line) brush.lineTo(...pixel)
  brush.stroke()
}

/** colors of classes in style.css; more classes share them */
export const classColors = 10

/** The places that a view shows, as a closed line. */
export function viewLine(element: HTMLCanvasElement, camera: Camera): [number, number][] {
  const size = sizeOf(element)
  const corners: Pixel[] = [
    [0, 0],
    [size.width, 0],
    [size.width, size.height],
    [0, size.height],
  ]
  return corners.map((pixel) => placeAt(pixel, size, camera))
}
