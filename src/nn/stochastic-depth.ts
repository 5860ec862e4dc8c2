import type { Random } from '../tensor/random.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'

/** Leaves a branch [batch, …] out for each sample with the given probability, and scales the others up (Huang et al. 2016). */
export function stochasticDepth(branch: Tensor, probability: number, random: Random): Tensor {
  if (probability === 0) return branch
  const [batch = 0, ...others] = branch.shape
  const kept = Float32Array.from({ length: batch }, () => (random.uniform() < probability ? 0 : 1 / (1 - probability)))
  return branch.mul(tensor(kept, [batch, ...others.map(() => 1)]).to({ device: branch.device }))
}
