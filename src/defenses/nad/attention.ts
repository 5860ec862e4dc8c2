import type { Tensor } from '../../tensor/tensor.ts'

/**
 * Attention transfer (Zagoruyko and Komodakis 2017): maps [batch, channels, height, width] as Σ_c F², flattened and of
 * length one, [batch, height·width].
 */
export function attentionMap(features: Tensor): Tensor {
  const attention = features.to({ dtype: 'float32' }).square().sum([1]).flatten(1)
  return attention.div(attention.square().sum([1], true).sqrt().clamp(1e-12, null))
}

/** Mean squared difference of two attention maps, over batch and positions. */
export function attentionDistance(a: Tensor, b: Tensor): Tensor {
  return attentionMap(a).sub(attentionMap(b)).square().mean()
}
