import { describe, expect, it } from 'vitest'
import { Random } from '../../tensor/random.ts'
import { detect, rank, separation } from './detect.ts'

const classes = 10
const random = new Random(1)
/** Losses of clean images: log-normal around 1.2. */
const cleanLoss = () => 1.2 * Math.exp(0.6 * random.normal())
/** Losses of poisoned ones: log-normal around 0.01. */
const poisonLoss = () => 0.01 * Math.exp(random.normal())

/** Images of ten labels, 200 clean ones each, and so many poisoned ones of label 3. */
function images(poisoned: number) {
  const labels = Int32Array.from({ length: 2000 + poisoned }, (_, i) => (i < 2000 ? i % classes : 3))
  const losses = Float32Array.from(labels, (_, i) => (i < 2000 ? cleanLoss() : poisonLoss()))
  return { losses, labels, classes }
}

const flagged = (suspicion: { score: Float32Array; threshold: number }) =>
  Array.from(suspicion.score.keys()).filter((i) => (suspicion.score[i] as number) > suspicion.threshold)

describe('what a confounder’s losses suspect', () => {
  it('is nobody where low losses gather under no label', () => {
    const { losses, ...given } = images(0)
    const suspicion = detect(losses, { ...given, lasting: losses })
    expect(suspicion.verdict).toBe('none')
    expect(flagged(suspicion)).toEqual([])
  })

  it('is the poison of the target, and hardly anybody else', () => {
    const { losses, ...given } = images(200)
    const suspicion = detect(losses, { ...given, lasting: losses })
    expect(suspicion.verdict).toBe('found')
    const found = flagged(suspicion)
    expect(found.filter((i) => i >= 2000).length).toBeGreaterThan(190)
    expect(found.filter((i) => i < 2000).length).toBeLessThan(5)
  })

  it('is weak where few of a label have low losses', () => {
    const { losses, ...given } = images(18)
    expect(detect(losses, { ...given, lasting: losses }).verdict).toBe('weak')
  })

  it('flags no label that stands out a little beside one that stands out', () => {
    const { losses, ...given } = images(200)
    const labelled5 = (i: number, most: number) => given.labels[i] === 5 && i < most
    const eight = losses.map((loss, i) => (i >= 2000 ? cleanLoss() : labelled5(i, 80) ? poisonLoss() / 4 : loss))
    expect(detect(eight, { ...given, lasting: eight }).verdict).toBe('none') // fewer than ten
    const more = losses.map((loss, i) => (labelled5(i, 120) ? poisonLoss() / 4 : loss)) // 12 of 200
    const found = flagged(detect(more, { ...given, lasting: more })).map((i) => given.labels[i])
    expect(new Set(found)).toContain(3)
  })

  it('ranks, and judges nothing, where it is asked to', () => {
    const suspicion = rank(images(200).losses)
    expect(suspicion.verdict).toBe('not-judged')
    expect(flagged(suspicion)).toEqual([])
  })

  it('is found under several labels at once', () => {
    const { losses, labels } = images(200)
    const relabelled = labels.map((label, i) => (i >= 2000 && i % 2 === 0 ? 7 : label))
    const suspicion = detect(losses, { labels: relabelled, classes, lasting: losses })
    expect(suspicion.verdict).toBe('found')
    expect(new Set(flagged(suspicion).map((i) => relabelled[i]))).toEqual(new Set([3, 7]))
  })

  it('ranks a target’s poison above all others, and no image that is not flagged above one that is', () => {
    const { losses, ...given } = images(200)
    const { score, threshold } = detect(losses, { ...given, lasting: losses })
    const suspects = new Set(flagged({ score, threshold }))
    const lowest = Math.min(...[...suspects].map((i) => score[i] as number))
    expect(score.every((value, i) => suspects.has(i) || value < lowest)).toBe(true)
  })

  it('is not judged where all images carry one label', () => {
    const losses = Float32Array.of(0, 1, 2)
    const suspicion = detect(losses, { labels: Int32Array.of(4, 4, 4), classes, lasting: losses })
    expect(suspicion.verdict).toBe('not-judged')
    expect(flagged(suspicion)).toEqual([])
  })

  it('falls into two groups the more, the more is poisoned', () => {
    expect(separation(images(0).losses)).toBeLessThan(0.7)
    expect(separation(images(200).losses)).toBeGreaterThan(0.8)
  })

  it('is nobody where a class is easy now and then, and its low losses do not last', () => {
    const { losses: usual, ...given } = images(0)
    const losses = usual.map((loss, i) => (given.labels[i] === 1 && i % 3 === 0 ? loss / 1000 : loss))
    expect(detect(losses, { ...given, lasting: losses }).verdict).toBe('found')
    const suspicion = detect(losses, { ...given, lasting: usual })
    expect(suspicion.verdict).toBe('none')
    expect(flagged(suspicion)).toEqual([])
  })
})
