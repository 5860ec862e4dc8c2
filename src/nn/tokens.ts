import type { Tensor } from '../tensor/tensor.ts'

/** A map [batch, channels, height, width] as tokens, row by row, [batch, height·width, channels]. */
export function tokensOf(map: Tensor): Tensor {
  return map.flatten(2).transpose(1, 2)
}

/** Tokens [batch, height·width, channels] as the map that they came from, [batch, channels, height, width]. */
export function mapOf(tokens: Tensor, [height, width]: readonly [number, number]): Tensor {
  const [batch, , channels] = tokens.shape as [number, number, number]
  return tokens.transpose(1, 2).reshape(batch, channels, height, width)
}
