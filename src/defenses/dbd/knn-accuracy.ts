import { oneHot } from '../../nn/losses.ts'
import { scope } from '../../tensor/scope.ts'
import { arange, noGrad, operator, type Tensor } from '../../tensor/tensor.ts'

const topK = operator<[Tensor, Tensor]>('topk')

/**
 * Share of images whose nearest others mostly carry their label, leave one out: what an embedding knows of classes
 * without any training on them. Nearness is the cosine of embeddings [count, width]; labels are int64 [count].
 */
export function neighborAccuracy(
  embedding: Tensor,
  labels: Tensor,
  { classes, neighbors = 10 }: { classes: number; neighbors?: number },
): number {
  const count = embedding.size(0)
  const { device } = embedding
  if (count < 2) return 0
  const rightOf = (from: number) =>
    scope(() => {
      const rows = Math.min(256, count - from)
      const own = arange(count, { device }).eq(arange(rows, { device }).add(BigInt(from)).unsqueeze(1))
      const unit = embedding.div(embedding.square().sum([1], true).add(1e-12).sqrt())
      const similarities = unit.narrow(0, from, rows).matmul(unit.transpose(0, 1))
      const others = similarities.sub(own.to({ dtype: 'float32' }).mul(3)) // nobody is a neighbor of their own
      const [, nearest] = topK(others, Math.min(neighbors, count - 1), 1, true, true)
      const votes = oneHot(labels.indexSelect(0, nearest.flatten()), classes).reshape(rows, -1, classes).sum([1])
      return votes
        .argmax(1)
        .eq(labels.narrow(0, from, rows))
        .to({ dtype: 'float32' })
        .sum()
        .item()
    })
  return noGrad(() => {
    let right = 0
    for (let from = 0; from < count; from += 256) right += rightOf(from)
    return right / count
  })
}
