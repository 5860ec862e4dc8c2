// Numbers as a report says them.

/** A share in percent, with as many digits as say something, on one line; a dash for null. */
export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined) return '–'
  return `${(100 * share).toFixed(share > 0 && share < 0.001 ? 2 : 1)}\u00a0%`
}

/** A whole number with its thousands parted. */
export const whole = (count: number) => count.toLocaleString('en-US')
