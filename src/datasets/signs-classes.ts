// What the twelve signs look like. No single property gives the class away: each color scheme comes with two outlines,
// and each outline in a scheme is shared by two classes that differ in the pictogram alone, some of them only in its
// direction (which is why signs are never mirrored).

type Point = readonly [x: number, y: number]

/** A line of `width` through `points`; a single point is a dot. Unit: half the pictogram's height, y downward. */
interface Stroke {
  readonly width: number
  readonly points: readonly Point[]
}

/**
 * Outlines, by how deep a point lies in them, negative outside; the height of the pictogram's middle, and half its own
 * height. Unit: the sign's radius, y downward.
 */
const shapes = {
  circle: { depth: (x: number, y: number) => 1 - Math.sqrt(x * x + y * y), center: 0, room: 0.6 },
  square: { depth: (x: number, y: number) => 0.82 - Math.max(Math.abs(x), Math.abs(y)), center: 0, room: 0.58 },
  diamond: {
    depth: (x: number, y: number) => (1.08 - Math.abs(x) - Math.abs(y)) * Math.SQRT1_2,
    center: 0,
    room: 0.53,
  },
  triangle: {
    depth: (x: number, y: number) => Math.min(0.7 - y, 0.5 * (y + 1.05) - (Math.sqrt(3) / 2) * Math.abs(x)),
    center: 0.17,
    room: 0.44,
  },
} as const

/** Rim, face and pictogram (ink), red, green and blue from 0 to 1; the rim's width as a share of the sign's radius. */
export const schemes = {
  red: { rim: [0.74, 0.06, 0.09], face: [0.93, 0.93, 0.91], ink: [0.06, 0.06, 0.07], width: 0.16 },
  blue: { rim: [0.04, 0.24, 0.62], face: [0.04, 0.24, 0.62], ink: [0.94, 0.94, 0.95], width: 0.07 },
  yellow: { rim: [0.93, 0.72, 0.06], face: [0.93, 0.72, 0.06], ink: [0.06, 0.06, 0.06], width: 0.08 },
} as const

const line = (width: number, ...points: Point[]): Stroke => ({ width, points })
const mirror = (strokes: readonly Stroke[]): Stroke[] =>
  strokes.map(({ width, points }) => ({ width, points: points.map(([x, y]) => [-x, y] as const) }))

const zero = line(0.34, [0.58, -0.82], [0.86, -0.5], [0.86, 0.5], [0.58, 0.82], [0.3, 0.5], [0.3, -0.5], [0.58, -0.82])
const left = [
  line(0.42, [0.5, 0.95], [0.5, -0.25], [-0.7, -0.25]),
  line(0.42, [-0.15, -0.9], [-0.8, -0.25], [-0.15, 0.4]),
]
const bendLeft = [
  line(0.44, [0.5, 1], [0.5, -0.05], [0.3, -0.35], [-0.5, -0.35]),
  line(0.4, [-0.2, -0.95], [-0.8, -0.35], [-0.2, 0.25]),
]

const pictograms = {
  thirty: [
    line(0.34, [-0.92, -0.82], [-0.4, -0.82], [-0.22, -0.58], [-0.24, -0.25], [-0.55, -0.02]),
    line(0.34, [-0.55, -0.02], [-0.24, 0.22], [-0.22, 0.58], [-0.4, 0.82], [-0.92, 0.82]),
    zero,
  ],
  eighty: [
    line(
      0.34,
      [-0.58, -0.82],
      [-0.28, -0.6],
      [-0.28, -0.26],
      [-0.58, -0.02],
      [-0.88, -0.26],
      [-0.88, -0.6],
      [-0.58, -0.82],
    ),
    line(0.34, [-0.58, -0.02], [-0.24, 0.24], [-0.24, 0.6], [-0.58, 0.82], [-0.92, 0.6], [-0.92, 0.24], [-0.58, -0.02]),
    zero,
  ],
  exclamation: [line(0.5, [0, -0.85], [0, 0.2]), line(0.56, [0, 0.85])],
  cross: [line(0.46, [-0.75, -0.75], [0.75, 0.75]), line(0.46, [0.75, -0.75], [-0.75, 0.75])],
  left,
  right: mirror(left),
  up: [line(0.42, [0, 0.95], [0, -0.8]), line(0.42, [-0.75, -0.1], [0, -0.85], [0.75, -0.1])],
  letterP: [
    line(0.44, [-0.45, 0.95], [-0.45, -0.8], [0.15, -0.8], [0.5, -0.5], [0.5, -0.15], [0.15, 0.15], [-0.45, 0.15]),
  ],
  bendLeft,
  bendRight: mirror(bendLeft),
  person: [
    line(0.5, [0, -0.8]),
    line(0.4, [0, -0.3], [0, 0.2]),
    line(0.26, [-0.65, 0.1], [0, -0.35], [0.65, 0.1]),
    line(0.32, [-0.5, 0.95], [0, 0.15], [0.5, 0.95]),
  ],
  lights: [line(0.56, [0, -0.75]), line(0.56, [0, 0]), line(0.56, [0, 0.75])],
} as const satisfies Record<string, readonly Stroke[]>

interface SignClass {
  readonly name: string
  readonly shape: keyof typeof shapes
  readonly scheme: keyof typeof schemes
  readonly pictogram: keyof typeof pictograms
}

/** The classes in label order. */
export const signClasses: readonly SignClass[] = [
  { name: 'limit-30', shape: 'circle', scheme: 'red', pictogram: 'thirty' },
  { name: 'limit-80', shape: 'circle', scheme: 'red', pictogram: 'eighty' },
  { name: 'caution', shape: 'triangle', scheme: 'red', pictogram: 'exclamation' },
  { name: 'crossroads', shape: 'triangle', scheme: 'red', pictogram: 'cross' },
  { name: 'turn-left', shape: 'circle', scheme: 'blue', pictogram: 'left' },
  { name: 'turn-right', shape: 'circle', scheme: 'blue', pictogram: 'right' },
  { name: 'one-way', shape: 'square', scheme: 'blue', pictogram: 'up' },
  { name: 'parking', shape: 'square', scheme: 'blue', pictogram: 'letterP' },
  { name: 'bend-left', shape: 'diamond', scheme: 'yellow', pictogram: 'bendLeft' },
  { name: 'bend-right', shape: 'diamond', scheme: 'yellow', pictogram: 'bendRight' },
  { name: 'pedestrians', shape: 'square', scheme: 'yellow', pictogram: 'person' },
  { name: 'lights', shape: 'square', scheme: 'yellow', pictogram: 'lights' },
]

/** Layers of a sign's plate: what a point of it shows. */
export const layer = { none: 0, rim: 1, face: 2, ink: 3 } as const

/** Points along each side of a plate, which spans -reach…reach in units of the sign's radius. */
export const plate = { points: 128, reach: 1.12 } as const

/** The plate of each class: one layer per point, row by row. Drawn once; scenes look points up instead of shapes. */
export const plates: readonly Uint8Array[] = signClasses.map(({ shape, scheme, pictogram }) => {
  const { depth, center, room } = shapes[shape]
  const cells = new Uint8Array(plate.points * plate.points)
  for (let row = 0; row < plate.points; row++) {
    const y = ((row + 0.5) / plate.points) * 2 * plate.reach - plate.reach
    for (let column = 0; column < plate.points; column++) {
      const x = ((column + 0.5) / plate.points) * 2 * plate.reach - plate.reach
      const inside = depth(x, y)
      if (inside <= 0) continue
      const inked = pictograms[pictogram].some((stroke) => covers(stroke, x / room, (y - center) / room))
      cells[row * plate.points + column] = inside < schemes[scheme].width ? layer.rim : inked ? layer.ink : layer.face
    }
  }
  return cells
})

function covers({ width, points }: Stroke, x: number, y: number): boolean {
  return points.some(([ax, ay], i) => {
    const [bx, by] = points[i + 1] ?? [ax, ay]
    const length = square(bx - ax) + square(by - ay)
    const along = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length))
    return square(x - ax - along * (bx - ax)) + square(y - ay - along * (by - ay)) <= square(width / 2)
  })
}

// not **, which engines may compute as a general power
function square(x: number): number {
  return x * x
}
