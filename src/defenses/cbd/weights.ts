import type { Tensor } from '../../tensor/tensor.ts'

export interface WeightOptions {
  /** what ℓ_B is weighed against: ℓ_C of the image, or the mean of ℓ_C over the batch, up to the level */
  readonly weightAgainst: 'own-loss' | 'mean-loss'
  /** the level that f_B's loss is held at: more than that ℓ_C says nothing */
  readonly level: number
  /** k of ℓ_B^k / (ℓ_B^k + ℓ_C^k) */
  readonly weightPower: number
}

/** Eq. 6: ℓ_B / (ℓ_B + ℓ_C) of each sample, [batch], in [0, 1] for any losses; ½ where both are 0. */
export function deconfoundingWeights(
  confounderLosses: Tensor,
  losses: Tensor,
  { weightAgainst, weightPower, level }: WeightOptions = { weightAgainst: 'own-loss', weightPower: 1, level: Infinity },
): Tensor {
  const [left, own] = [finite(confounderLosses), finite(losses)]
  const right = weightAgainst === 'own-loss' ? own : own.mean().clamp(null, level)
  if (weightPower === 1) return left.div(left.add(right))
  return left.div(right).log().mul(weightPower).sigmoid() // the same, without powers that overflow
}

/** Losses within (0, 10^9]: what is not a number counts as 0. */
const finite = (losses: Tensor) => losses.nanToNum(0).clamp(1e-12, 1e9)
