import type { Random } from '../tensor/random.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'

/** Sets each element to 0 with the given probability and scales the others up; the mask is drawn from our own stream. */
export function dropout(input: Tensor, probability: number, random: Random): Tensor {
  if (probability === 0) return input
  const { shape, device, count } = input
  const scale = 1 / (1 - probability)
  const mask = new Float32Array(count)
  for (let i = 0; i < count; i++) mask[i] = random.uniform() < probability ? 0 : scale
  return input.mul(tensor(mask, shape).to({ device }))
}
