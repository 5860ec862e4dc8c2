/** 3×3 patches of the literature by row and column from the top left, 0 or 255. */
export const patterns = {
  grid: [
    [0, 0, 255],
    [0, 255, 0],
    [255, 0, 255],
  ],
  white: [
    [255, 255, 255],
    [255, 255, 255],
    [255, 255, 255],
  ],
} as const

/** A picture of our own for triggers that blend one in: colored rings under a slanted lattice, by position in [0, 1), 0 to 255. */
export function drawnPicture(channel: number, y: number, x: number): number {
  const rings = Math.sin(2 * Math.PI * (4 * Math.hypot(x - 0.62, y - 0.4) + channel / 3))
  const lattice = (Math.floor(6 * (x + y)) + Math.floor(6 * (x - y) + 6)) % 2 === 0 ? 1 : -1
  return Math.round(127.5 * (1 + 0.7 * rings + 0.3 * lattice))
}
