import type { Random } from '../tensor/random.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Module } from './module.ts'
import { stochasticDepth } from './stochastic-depth.ts'
import { mapOf } from './tokens.ts'

/** What may leave a branch of a block out. */
export type Thin = (branch: Tensor) => Tensor

export interface TransformerBlock extends Module {
  /** tokens fp32 [batch, tokens, width] to the same shape */
  forward(x: Tensor, thin: Thin): Tensor
}

interface Passing {
  readonly blocks: readonly TransformerBlock[]
  /** rows and columns of the image's tokens, which stand last */
  readonly grid: readonly [number, number]
  /** the probability that the last block is left out, rising from 0 */
  readonly stochasticDepth: number
  /** what is left out is drawn from here; null: nothing is */
  readonly pass: Random | null
}

/** Tokens through all blocks, and the image's tokens as maps after each third of the blocks. */
export function throughBlocks(
  tokens: Tensor,
  { blocks, grid, stochasticDepth: most, pass }: Passing,
): { tokens: Tensor; maps: Tensor[] } {
  const depth = blocks.length
  const places = grid[0] * grid[1]
  const maps: Tensor[] = []
  let x = tokens
  for (const [b, block] of blocks.entries()) {
    const rate = depth > 1 ? (most * b) / (depth - 1) : most
    x = block.forward(x, (branch) => (pass ? stochasticDepth(branch, rate, pass) : branch))
    if (endsPart(b, depth)) maps.push(mapOf(x.narrow(1, x.size(1) - places, places), grid))
  }
  return { tokens: x, maps }
}

/** Whether block `at` of `count` is the last of a third. */
function endsPart(at: number, count: number): boolean {
  const parts = Math.min(3, count)
  return Math.floor(((at + 1) * parts) / count) > Math.floor((at * parts) / count)
}
