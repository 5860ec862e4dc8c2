import { describe, expect, it } from 'vitest'
import { Random } from '../../tensor/random.ts'
import { weigh } from './evidence.ts'
import { thresholdsOfLabels, usualShare } from './single-label.ts'

const classes = 10
const perClass = 500

/** Noise about 0 for every image; the first `poisoned` images of label 3 are moved by two standard deviations. */
function faint(poisoned: number, lean = 0) {
  const random = new Random(5)
  const normal = () => Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform())
  const labels = Int32Array.from({ length: classes * perClass }, (_, i) => Math.floor(i / perClass))
  const isPoisoned = (i: number) => i >= 3 * perClass && i < 3 * perClass + poisoned
  const differences = Float32Array.from(labels, (_, i) => normal() + lean + (isPoisoned(i) ? 2 : 0))
  return { differences, labels, isPoisoned }
}

describe('evidence under one label', () => {
  it('is found where it drowns among all images, about as often wrong as it says', () => {
    const { differences, labels, isPoisoned } = faint(250)
    expect([...thresholdsOfLabels(differences, labels).keys()]).toEqual([3])
    const evidence = { differences, slack: { toFind: 1.5, toName: 1 } }
    expect(weigh([evidence], { q: 0.1 }).threshold).toBeGreaterThan(1) // none
    const { score, threshold, verdict } = weigh([{ ...evidence, labels }], { q: 0.1 })
    const named = [...score.keys()].filter((i) => (score[i] as number) > threshold)
    expect(named.every((i) => labels[i] === 3)).toBe(true)
    expect(named.filter(isPoisoned).length).toBeGreaterThan(200)
    expect(named.filter((i) => !isPoisoned(i)).length / named.length).toBeLessThan(0.3)
    expect(verdict).toBe('weak')
  })

  it('is not asked for where some evidence is found among all images', () => {
    const { differences, labels } = faint(250)
    const clear = differences.map((difference, i) => (i < 100 ? 20 : difference))
    const evidence = [
      { differences, slack: { toFind: 1.5, toName: 1 }, labels },
      { differences: clear, slack: { toFind: 2, toName: 2 } },
    ]
    const { score, threshold, verdict } = weigh(evidence, { q: 0.1 })
    const named = [...score.keys()].filter((i) => (score[i] as number) > threshold)
    expect(named).toEqual([...Array(100).keys()])
    expect(verdict).toBe('found')
  })

  it('is none where no label leans, all do, or too few images say so', () => {
    const none = ({ differences, labels }: ReturnType<typeof faint>) => thresholdsOfLabels(differences, labels).size
    expect(none(faint(0))).toBe(0)
    expect(none(faint(0, 1))).toBe(0)
    expect(none(faint(40))).toBe(0)
    expect(usualShare(faint(0, 1).differences, faint(0).labels)).toBeCloseTo(0.84, 1)
    expect(thresholdsOfLabels(Float32Array.of(1, 2, 3, -1, 1, -1), Int32Array.of(0, 0, 0, 1, 1, 2)).size).toBe(0)
    expect(usualShare(new Float32Array(), new Int32Array())).toBe(0.5)
  })
})
