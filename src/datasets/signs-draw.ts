import { paintBackground } from './signs-background.ts'
import { area, type Canvas, fill, paint, smear } from './signs-canvas.ts'
import { paintOccluder, paintSign } from './signs-plate.ts'
import { type Draws, direction, draws } from './signs-random.ts'

/** Which image to draw. */
export interface SignKey {
  readonly seed: number
  /** 0 for training, 1 for test */
  readonly split: number
  readonly index: number
}

/** One traffic sign in a street scene: uint8 [3, 32, 32] written to `target`. The same key draws the same bytes. */
export function drawSign(label: number, { seed, split, index }: SignKey, target: Uint8Array): void {
  const random = draws(seed, split, index)
  const canvas: Canvas = new Float32Array(3 * area)
  paintBackground(canvas, random)
  const place = paintSign(canvas, label, random)
  if (random.chance(0.12)) paintOccluder(canvas, place, random)
  light(canvas, random)
  blur(canvas, random)
  expose(canvas, random, target)
}

/** A shadow's edge, the lamp's color, a gradient across, haze. */
function light(canvas: Canvas, random: Draws): void {
  if (random.chance(0.3)) {
    const [cos, sin] = direction(random, 1)
    const shift = random.between(-8, 8)
    paint(canvas, [0, 0, 0], (x, y) => (x - 16) * cos + (y - 16) * sin - shift, random.between(0.2, 0.55))
  }
  const gain = random.between(0.6, 1.2)
  const haze = random.between(0, 0.15)
  const [across, down] = [random.between(-0.012, 0.012), random.between(-0.012, 0.012)]
  const lamp = [0, 1, 2].map(() => gain * random.between(0.85, 1.15))
  fill(canvas, (x, y, channel, before) => {
    const lit = (lamp[channel] as number) * (1 + across * (x - 16) + down * (y - 16)) * before
    return lit + (0.6 * gain - lit) * haze
  })
}

/** Out of focus, and sometimes in motion. */
function blur(canvas: Canvas, random: Draws): void {
  const focus = random.between(0, 0.17)
  smear(canvas, 1, 0, focus)
  smear(canvas, 0, 1, focus)
  if (random.chance(0.1)) smear(canvas, random.below(2), 1 - random.below(3), 1 / 3)
}

/** Sensor noise, then eight bits. */
function expose(canvas: Canvas, random: Draws, target: Uint8Array): void {
  const noise = random.between(1, 7)
  for (let i = 0; i < canvas.length; i++) {
    const value = Math.round(255 * (canvas[i] as number) + noise * random.normal())
    target[i] = Math.max(0, Math.min(255, value))
  }
}
