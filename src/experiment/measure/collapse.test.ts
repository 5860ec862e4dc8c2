import { describe, expect, it } from 'vitest'
import { watchForCollapse } from './collapse.ts'

/** What is said of epochs with these training accuracies. */
function said(
  accuracies: readonly number[],
  { stage = 'model', labels = [0, 0, 1, 2, 3], images = 20_000 } = {},
): string[] {
  const lines: string[] = []
  const watch = watchForCollapse(
    Int32Array.from({ length: images }, (_, i) => labels[i % labels.length] as number),
    (line) => lines.push(line),
  )
  for (const [epoch, accuracy] of accuracies.entries()) watch({ stage, epoch, seconds: 1, accuracy })
  return lines
}

describe('a model that has left only one class', () => {
  it('is told of once, after two epochs', () => {
    expect(said([0.2])).toEqual([])
    expect(said([0.2, 0.4])).toEqual([expect.stringMatching(/collapsed.*40\.0 % after epoch 2.*40\.0 % of the images/)])
    expect(said([0.2, 0.2, 0.2, 0.2])).toHaveLength(1)
  })

  it('is told of when it happens, also after it had learned', () => {
    expect(said([0.6, 0.8, 0.3, 0.3])).toEqual([expect.stringContaining('after epoch 4')])
  })

  it('is not told of in the first epochs on few images', () => {
    const chance = Array<number>(20).fill(0.2)
    expect(said(chance.slice(0, 19), { images: 1000 })).toEqual([])
    expect(said(chance, { images: 1000 })).toEqual([expect.stringContaining('after epoch 20')])
  })

  it('is none that is right more often than the largest class alone would be', () => {
    expect(said([0.3, 0.5, 0.3, 0.5, 0.7])).toEqual([])
  })

  it('is not looked for in other networks, nor where there is one class', () => {
    expect(said([0.2, 0.2, 0.2], { stage: 'confounder' })).toEqual([])
    expect(said([1, 1, 1], { labels: [0, 0, 0] })).toEqual([])
  })
})
