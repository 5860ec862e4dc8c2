/** A learning rate for each step of a training of known length. */
export type Schedule = (step: number, steps: number) => number

/** Cosine up from rate/25 over the first 30 % of the steps, cosine down to rate/250,000 (Smith 2018, PyTorch's defaults). */
export function oneCycle(rate: number): Schedule {
  return (step, steps) => {
    const peak = 0.3 * steps - 1
    const end = steps - 1
    if (step <= peak) return between(rate / 25, rate, peak > 0 ? step / peak : 1)
    return between(rate, rate / 250_000, end > peak ? (step - peak) / (end - peak) : 1)
  }
}

/** The rate, ×0.1 at each of the given shares of the training. */
export function steps(rate: number, shares: readonly number[] = [0.2, 0.7]): Schedule {
  return (step, total) => rate * 0.1 ** shares.filter((share) => step >= share * total).length
}

/** From the rate to 0 along half a cosine (Loshchilov and Hutter 2017). */
export function cosine(rate: number): Schedule {
  return (step, steps) => between(rate, 0, step / steps)
}

const between = (from: number, to: number, share: number) => to + ((from - to) / 2) * (1 + Math.cos(Math.PI * share))

export const schedules = { 'one-cycle': oneCycle, steps, cosine } as const
export type ScheduleName = keyof typeof schedules
