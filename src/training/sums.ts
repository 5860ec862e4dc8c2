import { UserError } from '../errors.ts'
import { keep, scope } from '../tensor/scope.ts'
import { noGrad, Tensor, zeros } from '../tensor/tensor.ts'

/** Numbers of a batch: those that are tensors (one element) stay on the device, so that no step waits for them. */
export type Reported = Readonly<Record<string, number | Tensor>>

/** Names that the line of an epoch and a checkpoint's sums have for themselves. */
const reserved = ['images', 'stage', 'trace', 'epoch', 'seconds']

/** What an epoch's batches reported, summed up over images. */
export interface Sums {
  /** Adds the numbers of a batch of so many images. */
  add(values: Reported, images: number): void
  /** Averages over images; waits for the device. A number that is not finite is an error: training has diverged. */
  averages(): Record<string, number>
  /** as plain JSON, for a checkpoint */
  read(): Record<string, number>
  /** Begins a new epoch. */
  clear(): void
}

/** `stage` is named where training has diverged; `before` are sums that `read` gave. */
export function makeSums(stage: string, before: Readonly<Record<string, number>> = {}): Sums & { free(): void } {
  const { images: seen = 0, ...restored } = before
  let images = seen
  const numbers = new Map(Object.entries(restored)) // of what came as numbers, and of before
  const totals = new Map<string, Tensor>() // of what came as tensors, where they are
  const totalOf = (name: string, device: string) => {
    const total = totals.get(name) ?? keep(scope(() => zeros([], { dtype: 'float64', device })))
    totals.set(name, total)
    return total
  }
  const read = () => {
    const names = [...new Set([...numbers.keys(), ...totals.keys()])]
    return Object.fromEntries(names.map((name) => [name, (numbers.get(name) ?? 0) + (totals.get(name)?.item() ?? 0)]))
  }
  const free = () => {
    for (const total of totals.values()) total.free()
    totals.clear()
  }
  return {
    add(values, count) {
      const taken = reserved.find((name) => name in values)
      if (taken) throw new Error(`Cannot report '${taken}' of '${stage}': an epoch's line has that name for itself`)
      images += count
      scope(() =>
        noGrad(() => {
          for (const [name, value] of Object.entries(values)) {
            if (value instanceof Tensor) totalOf(name, value.device).add_(value.to({ dtype: 'float64' }), count)
            else numbers.set(name, (numbers.get(name) ?? 0) + value * count)
          }
        }),
      )
    },
    averages() {
      const found = Object.entries(read())
      const odd = found.find(([, sum]) => !Number.isFinite(sum))
      if (odd) {
        const facts = `${odd[0]} of '${stage}' is ${odd[1]}`
        throw new UserError('diverged', `Training diverged: ${facts}; try a lower learning rate, or another --seed`)
      }
      return Object.fromEntries(found.map(([name, sum]) => [name, sum / Math.max(1, images)]))
    },
    read: () => ({ ...read(), ...(images > 0 && { images }) }),
    clear() {
      images = 0
      numbers.clear()
      free()
    },
    free,
  }
}
