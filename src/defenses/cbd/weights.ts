import type { Tensor } from '../../tensor/tensor.ts'

export interface WeightOptions {
  /** what ℓ_B is weighed against: ℓ_C of the image, which may count as no less than its mean over the batch */
  readonly weightAgainst: 'own-loss' | 'floored-loss'
  /** k of ℓ_B^k / (ℓ_B^k + ℓ_C^k) */
  readonly weightPower: number
}

/** Eq. 6: ℓ_B / (ℓ_B + ℓ_C) of each sample, [batch], in [0, 1] for any losses; ½ where both are 0. */
export function deconfoundingWeights(
  confounderLosses: Tensor,
  losses: Tensor,
  { weightAgainst, weightPower }: WeightOptions = { weightAgainst: 'own-loss', weightPower: 1 },
): Tensor {
  const [left, own] = [finite(confounderLosses), finite(losses)]
  const right = weightAgainst === 'own-loss' ? own : atLeast(own, own.mean())
  if (weightPower === 1) return left.div(left.add(right))
  return left.div(right).log().mul(weightPower).sigmoid() // the same, without powers that overflow
}

const atLeast = (values: Tensor, least: Tensor) => values.sub(least).relu().add(least)

/** Losses within (0, 10^9]: what is not a number counts as 0. */
const finite = (losses: Tensor) => losses.nanToNum(0).clamp(1e-12, 1e9)
