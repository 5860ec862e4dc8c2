import { describe, expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import { Random } from '../tensor/random.ts'
import { arena, scope } from '../tensor/scope.ts'
import { type Tensor, tensor, zeros } from '../tensor/tensor.ts'
import { attention } from './attention.ts'
import { masksFrom } from './masks.ts'
import { moveTo } from './module.ts'
import { stochasticDepth } from './stochastic-depth.ts'
import { mapOf, tokensOf } from './tokens.ts'
import { throughBlocks } from './transformer.ts'

// What whole networks of these parts give is compared with PyTorch's in test/golden/models.test.ts.

const arange = (shape: readonly number[]) =>
  tensor(
    Float32Array.from({ length: shape.reduce((product, length) => product * length, 1) }, (_, i) => i),
    shape,
  ).to({ device })

describe('tokens', () => {
  it('are the places of a map, row by row, and give the map again', () => {
    scope(() => {
      const map = arange([2, 3, 2, 2])
      const tokens = tokensOf(map)
      expect(tokens.shape).toEqual([2, 4, 3])
      expect(tokens.select(0, 0).select(0, 1).numbers()).toEqual([1, 5, 9]) // of the first row's second place
      expect(mapOf(tokens, [2, 2]).numbers()).toEqual(map.numbers())
    })
  })
})

describe('attention', () => {
  it('does not mind the order of the tokens', () =>
    arena(async () => {
      const layer = moveTo(attention(new Random(1), { width: 6, heads: 2, bias: true, deviation: 0.5 }), device)
      scope(() => {
        const tokens = new Random(2).uniformTensor([2, 5, 6]).to({ device })
        const [plain, turned] = [layer.forward(tokens), layer.forward(tokens.flip(1))]
        expect(plain.sub(turned.flip(1)).abs().max().item()).toBeLessThan(1e-6)
      })
    }))
})

describe('stochastic depth', () => {
  it('leaves a branch out for about its share of the samples, whole, and scales up the others', () => {
    scope(() => {
      const ones = zeros([4000, 2, 3], { device }).add(1)
      const rows = stochasticDepth(ones, 0.2, new Random(1)).reshape(4000, 6)
      const [least, most] = [rows.mean([1]).min().item(), rows.mean([1]).max().item()]
      expect([least, most]).toEqual([0, 1.25])
      expect(new Set(rows.numbers())).toEqual(new Set([0, 1.25]))
      const left = rows.select(1, 0).eq(0).to({ dtype: 'float32' }).mean().item()
      expect(left).toBeCloseTo(0.2, 1)
      expect(stochasticDepth(ones, 0, new Random(1))).toBe(ones)
    })
  })

  it('rises from nothing at the first block to its share at the last', () => {
    scope(() => {
      const rates: number[] = []
      const tokens = zeros([1000, 1, 2], { device })
      const counting = {
        parameters: {},
        buffers: {},
        forward(x: Tensor, thin: (branch: Tensor) => Tensor) {
          const thinned = thin(x.add(1))
          rates.push(thinned.select(2, 0).eq(0).to({ dtype: 'float32' }).mean().item())
          return x
        },
      }
      const blocks = [counting, counting, counting]
      throughBlocks(tokens, { blocks, grid: [1, 1], stochasticDepth: 0.4, pass: new Random(1) })
      expect(rates).toEqual([0, expect.closeTo(0.2, 1), expect.closeTo(0.4, 1)])
      throughBlocks(tokens, { blocks, grid: [1, 1], stochasticDepth: 0.4, pass: null })
      expect(rates.slice(3)).toEqual([0, 0, 0])
    })
  })
})

describe('blocks', () => {
  it.each([
    [1, [1]],
    [2, [1, 2]],
    [7, [3, 5, 7]],
    [12, [4, 8, 12]],
  ])('of %s give a map after each third: %j', (count, after) => {
    scope(() => {
      const adding = { parameters: {}, buffers: {}, forward: (x: Tensor) => x.add(1) }
      const blocks = Array.from({ length: count }, () => adding)
      const tokens = zeros([1, 7, 2], { device }) // a class token and 2×3 places
      const passed = throughBlocks(tokens, { blocks, grid: [2, 3], stochasticDepth: 0, pass: null })
      expect(passed.maps.map((map) => map.max().item())).toEqual(after)
      expect(passed.maps[0]?.shape).toEqual([1, 2, 2, 3])
    })
  })
})

describe('masks', () => {
  it('come from another stream in each pass, and from the same one where training goes on', () => {
    const masks = masksFrom(new Random(1))
    const [first, second] = [masks.nextPass().uniform(), masks.nextPass().uniform()]
    expect(second).not.toBe(first)
    const again = masksFrom(new Random(1))
    again.restore(1)
    expect(again.plain()).toBe(1)
    expect(again.nextPass().uniform()).toBe(second)
  })
})
