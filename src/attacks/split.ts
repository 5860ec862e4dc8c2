import { scope } from '../tensor/scope.ts'
import { cat, type Tensor, tensor } from '../tensor/tensor.ts'

/**
 * Treats the images of a batch in groups: those whose `groupOf` is k by `change(k, images, places)`, `places` being
 * their positions in the batch; the results stand in the batch's own order.
 */
export function splitBatch(
  images: Tensor,
  groupOf: (position: number) => number,
  change: (group: number, images: Tensor, positions: Int32Array) => Tensor,
): Tensor {
  const all = Int32Array.from({ length: images.size(0) }, (_, i) => i)
  const membership = Array.from(all, groupOf)
  const groups = [...new Set(membership)].sort((a, b) => a - b)
  return scope(() => {
    const changed = groups.map((group) => {
      const positions = all.filter((i) => membership[i] === group)
      return { positions, images: change(group, images.indexSelect(0, indices(positions)), positions) }
    })
    const order = new Int32Array(all.length)
    changed
      .flatMap(({ positions }) => [...positions])
      .forEach((position, at) => {
        order[position] = at
      })
    return cat(changed.map((each) => each.images)).indexSelect(0, indices(order))
  })
}

const indices = (values: Int32Array) => tensor(values, [values.length], 'int64')
