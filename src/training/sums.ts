import { UserError } from '../errors.ts'
import { keep, scope } from '../tensor/scope.ts'
import { noGrad, Tensor, zeros } from '../tensor/tensor.ts'

/** Numbers of a batch: those that are tensors (one element) stay on the device, so that no step waits for them. */
export type Reported = Readonly<Record<string, number | Tensor>>

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
  const { images: seen = 0, ...rest } = before
  let images = seen
  const totals = new Map<string, Tensor>()
  const totalOf = (name: string, { device }: { device: string }) => {
    const total = totals.get(name) ?? keep(scope(() => zeros([], { dtype: 'float64', device })))
    totals.set(name, total)
    return total
  }
  for (const [name, value] of Object.entries(rest)) totalOf(name, { device: 'cpu' }).fill_(value)
  const read = () => Object.fromEntries([...totals].map(([name, total]) => [name, total.item()]))
  const free = () => {
    for (const total of totals.values()) total.free()
    totals.clear()
  }
  return {
    add(values, count) {
      images += count
      scope(() =>
        noGrad(() => {
          for (const [name, value] of Object.entries(values)) {
            const isTensor = value instanceof Tensor
            const total = totalOf(name, isTensor ? value : { device: 'cpu' })
            if (!isTensor) total.add_(value * count)
            else total.add_(value.to({ dtype: 'float64', device: total.device }), count)
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
      free()
    },
    free,
  }
}
