import { arange, full, type Tensor, where } from '../../tensor/tensor.ts'

/**
 * NT-Xent (Chen et al. 2020, SimCLR) as a classification. Of projections [2·images, width], row i and row i + images
 * being views of one image, each has to find its partner among all others: logits are cosines divided by the temperature,
 * [2·images, 2·images], never one's own; partners are int64 [2·images]. Their mean cross entropy is the loss.
 */
export function contrast(projections: Tensor, temperature: number): { logits: Tensor; partners: Tensor } {
  const { device } = projections
  const count = projections.size(0)
  const unit = projections.div(projections.square().sum([1], true).add(1e-12).sqrt())
  const places = arange(count, { device })
  const own = places.unsqueeze(1).eq(places)
  const similarities = unit.matmul(unit.transpose(0, 1)).div(temperature)
  return {
    logits: where(own, full([], -1e9, { device }), similarities),
    partners: places.roll(count / 2, 0),
  }
}
