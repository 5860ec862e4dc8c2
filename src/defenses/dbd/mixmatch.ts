import type { Random } from '../../tensor/random.ts'
import { type Tensor, tensor } from '../../tensor/tensor.ts'

// The parts of MixMatch (Berthelot et al. 2019) that are not a network.

/** Distributions p [batch, classes] made more certain: p_k^(1/T) / Σ p_j^(1/T). */
export function sharpen(p: Tensor, temperature: number): Tensor {
  const raised = p.pow(1 / temperature)
  return raised.div(raised.sum([1], true))
}

/** With whom each sample of a batch is mixed, and how much of itself is left. */
export interface Mixing {
  /** int64 [batch] */
  readonly partners: Tensor
  /** in [½, 1], float32 [batch] */
  readonly shares: Tensor
}

/** Partners at random; shares λ′ = max(λ, 1 − λ) of λ ~ Beta(α, α), one for each sample. */
export function drawMixing(
  random: Random,
  batch: number,
  { alpha, device }: { alpha: number; device: string },
): Mixing {
  const shares = Float32Array.from({ length: batch }, () => {
    const share = random.beta(alpha, alpha)
    return Math.max(share, 1 - share)
  })
  return {
    partners: tensor(random.permutation(batch), [batch], 'int64').to({ device }),
    shares: tensor(shares, [batch]).to({ device }),
  }
}

/** λ′·x + (1 − λ′)·x[partners], for images [batch, …] or distributions [batch, classes] alike. */
export function mix(x: Tensor, { partners, shares }: Mixing): Tensor {
  const own = shares.reshape(-1, ...x.shape.slice(1).map(() => 1))
  return x.mul(own).add(x.indexSelect(0, partners).mul(own.neg().add(1)))
}
