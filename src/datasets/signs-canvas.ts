/** Red, green and blue, 0 to 1. */
export type Color = readonly [red: number, green: number, blue: number]

/** Width and height of a sign's picture, pixels. */
export const side = 32
/** Pixels of a channel. */
export const area = side * side

/** A picture being painted: float32, [3, side, side]. */
export type Canvas = Float32Array

/** Sets every value to what `value` says for its place. */
export function fill(canvas: Canvas, value: (x: number, y: number, channel: number, before: number) => number): void {
  for (let channel = 0, i = 0; channel < 3; channel++) {
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++, i++) canvas[i] = value(x, y, channel, canvas[i] as number)
    }
  }
}

/** Paints `color` where `distance` (pixels to an edge, negative inside) is below zero, with an edge one pixel soft. */
export function paint(canvas: Canvas, color: Color, distance: (x: number, y: number) => number, strength = 1): void {
  for (let y = 0, i = 0; y < side; y++) {
    for (let x = 0; x < side; x++, i++) {
      const outside = distance(x + 0.5, y + 0.5) + 0.5
      if (outside >= 1) continue
      blend(canvas, i, color, strength * (outside <= 0 ? 1 : 1 - outside))
    }
  }
}

/** Mixes `color` into pixel `i` by `share`. */
function blend(canvas: Canvas, i: number, [red, green, blue]: Color, share: number): void {
  canvas[i] = mix(canvas[i] as number, red, share)
  canvas[area + i] = mix(canvas[area + i] as number, green, share)
  canvas[2 * area + i] = mix(canvas[2 * area + i] as number, blue, share)
}

/** `share` of the way from `from` to `to`. */
export function mix(from: number, to: number, share: number): number {
  return from + (to - from) * share
}

/** Averages each pixel with its two neighbors along (dx, dy), each with weight `amount`; the border repeats. */
export function smear(canvas: Canvas, dx: number, dy: number, amount: number): void {
  const before = canvas.slice()
  for (let channel = 0; channel < 3 * area; channel += area) {
    for (let y = 0; y < side; y++) {
      const up = channel + clamp(y - dy) * side
      const down = channel + clamp(y + dy) * side
      for (let x = 0; x < side; x++) {
        const i = channel + y * side + x
        const neighbors = (before[up + clamp(x - dx)] as number) + (before[down + clamp(x + dx)] as number)
        canvas[i] = (1 - 2 * amount) * (before[i] as number) + amount * neighbors
      }
    }
  }
}

function clamp(at: number): number {
  return at < 0 ? 0 : at >= side ? side - 1 : at
}
