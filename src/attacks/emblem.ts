import type { Picture } from './attack.ts'

/** A yellow square with a black border of an eighth of its width, at least a pixel where there is room for both. */
export function emblem(width: number): Picture {
  const border = width < 3 ? 0 : Math.max(1, Math.round(width / 8))
  const pixels = new Uint8Array(4 * width * width)
  for (let y = 0; y < width; y++) {
    for (let x = 0; x < width; x++) {
      const inside = Math.min(x, y, width - 1 - x, width - 1 - y) >= border
      pixels.set(inside ? [255, 220, 0, 255] : [0, 0, 0, 255], 4 * (y * width + x))
    }
  }
  return { width, height: width, pixels }
}
