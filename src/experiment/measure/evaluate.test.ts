import { describe, expect, it } from 'vitest'
import { device } from '../../../test/device.ts'
import type { Crafted } from '../../attacks/attack.ts'
import type { Classifier } from '../../nn/classifier.ts'
import { scope } from '../../tensor/scope.ts'
import { full, liveTensors, tensor } from '../../tensor/tensor.ts'
import { imageSet } from '../../training/images.ts'
import { findings } from '../../training/suspicion.ts'
import { evaluate, evaluateSuspicion } from './evaluate.ts'

const classes = ['a', 'b', 'c', 'd']

/** Takes an image for the class that its first pixel names. */
const reader: Classifier = {
  parameters: {},
  buffers: {},
  embeddingWidth: 1,
  get head(): never {
    throw new Error('It has none')
  },
  forward(images) {
    const named = images.flatten(1).narrow(1, 0, 1).mul(255)
    const numbers = tensor([0, 1, 2, 3], [1, 4]).to({ device })
    return { logits: named.sub(numbers).abs().neg(), embedding: named, maps: [] }
  },
}

/** Images that the reader takes for `taken`; their second pixel is what it takes them for once triggered. */
function images(rows: { label: number; taken: number; triggered: number }[]) {
  return imageSet({
    pixels: Uint8Array.from(rows.flatMap(({ taken, triggered }) => [taken, triggered])),
    shape: [1, 1, 2],
    labels: Int32Array.from(rows, ({ label }) => label),
    classes,
    names: rows.map((_, i) => String(i)),
  })
}
const attack: Crafted = { trigger: (pixels) => pixels.flip(3), label: () => 0 }

describe('evaluate', () => {
  const test = images([
    { label: 0, taken: 0, triggered: 0 },
    { label: 0, taken: 1, triggered: 3 },
    { label: 1, taken: 1, triggered: 0 },
    { label: 1, taken: 1, triggered: 1 },
    { label: 1, taken: 2, triggered: 1 },
    { label: 2, taken: 2, triggered: 0 },
    { label: 2, taken: 3, triggered: 3 },
    { label: 2, taken: 0, triggered: 0 },
  ])

  it('gives what one counts by hand', async () => {
    expect(await evaluate(reader, test, { attack, device })).toEqual({
      cleanAccuracy: 4 / 8,
      attackSuccessRateOf: {},
      cleanAccuracyPerClass: [1 / 2, 2 / 3, 1 / 3, null],
      // of the six images that are not of class 0: three are taken for 0, two for what they are
      attackSuccessRate: 3 / 6,
      recoveredAccuracy: 2 / 6,
      cleanImages: 8,
      triggeredImages: 6,
      collapsed: false,
    })
  })

  it('asks an all-to-all attack for the next class, of every image', async () => {
    const next: Crafted = { ...attack, label: (y) => (y + 1) % 4 }
    const result = await evaluate(reader, test, { attack: next, device })
    expect(result).toMatchObject({ attackSuccessRate: 1 / 8, recoveredAccuracy: 3 / 8, triggeredImages: 8 })
  })

  it('counts as success of an untargeted attack whatever is no longer given its true class, of every image', async () => {
    const untargeted: Crafted = { ...attack, label: () => null }
    const result = await evaluate(reader, test, { attack: untargeted, device })
    expect(result).toMatchObject({ attackSuccessRate: 5 / 8, recoveredAccuracy: 3 / 8, triggeredImages: 8 })
    // without any trigger: the model's error
    const nothing: Crafted = { ...untargeted, trigger: (pixels) => pixels.clone() }
    expect((await evaluate(reader, test, { attack: nothing, device })).attackSuccessRate).toBe(1 - 4 / 8)
  })

  it('measures each of several triggers by itself', async () => {
    const several: Crafted = { ...attack, single: { flip: attack.trigger, nothing: (pixels) => pixels.clone() } }
    const { attackSuccessRateOf } = await evaluate(reader, test, { attack: several, device })
    expect(attackSuccessRateOf).toEqual({ flip: 3 / 6, nothing: 1 / 6 })
  })

  it('has no success rate without an attack', async () => {
    const none: Crafted = { ...attack, label: (y) => y }
    const result = await evaluate(reader, test, { attack: none, device })
    expect(result).toMatchObject({ attackSuccessRate: null, recoveredAccuracy: null, triggeredImages: 0 })
  })

  it('calls a model collapsed that takes most for one class, unless most are of one', async () => {
    const rows = (labels: number[], taken: number[]) =>
      images(labels.map((label, i) => ({ label, taken: taken[i] as number, triggered: 0 })))
    const collapsed = async (labels: number[], taken: number[]) =>
      (await evaluate(reader, rows(labels, taken), { attack, device })).collapsed
    expect(await collapsed([0, 1, 2, 3, 0], [1, 1, 1, 1, 0])).toBe(true)
    expect(await collapsed([0, 1, 2, 3, 0], [1, 1, 1, 2, 0])).toBe(false)
    expect(await collapsed([1, 1, 1, 1, 0], [1, 1, 1, 1, 1])).toBe(false)
  })

  it('leaves no tensors behind', async () => {
    const before = liveTensors()
    await evaluate(reader, test, { attack, device })
    expect(liveTensors()).toBe(before)
  })
})

describe('evaluateSuspicion', () => {
  it('gives what one counts by hand, with and without images whose label did not change', () => {
    const truth = {
      poisoned: Int32Array.of(0, 1, 2),
      covers: Int32Array.of(),
      originalLabels: Int32Array.of(1, 2, 0, 0, 1, 2),
      hash: '',
    }
    const labels = Int32Array.of(0, 0, 0, 0, 1, 2)
    const suspicion = { score: Float32Array.of(9, 8, 1, 5, 2, 3), threshold: 4, verdict: 'found' } as const
    expect(evaluateSuspicion(suspicion, truth, labels)).toEqual({
      auroc: 6 / 9,
      aurocRelabelled: 1,
      truePositiveRate: 2 / 3,
      falsePositiveRate: 1 / 3,
      verdict: 'found',
      flagged: 3,
      estimatedRate: 3 / 6,
      estimatedTarget: 0,
      remarks: [],
    })
  })

  it('has no rates where nothing is poisoned', () => {
    const truth = {
      poisoned: new Int32Array(),
      covers: new Int32Array(),
      originalLabels: Int32Array.of(0, 1),
      hash: '',
    }
    const suspicion = { score: Float32Array.of(1, 2), threshold: 5, verdict: 'none' } as const
    const quality = evaluateSuspicion(suspicion, truth, Int32Array.of(0, 1))
    expect(quality).toEqual({
      auroc: null,
      aurocRelabelled: null,
      truePositiveRate: null,
      falsePositiveRate: 0,
      verdict: 'none',
      flagged: 0,
      estimatedRate: 0,
      estimatedTarget: null,
      remarks: [],
    })
  })

  it('names no target where suspects carry several labels', () => {
    const suspicion = { score: Float32Array.of(1, 1, 0), threshold: 0, verdict: 'found' } as const
    expect(findings(suspicion, Int32Array.of(0, 1, 1)).estimatedTarget).toBe(null)
  })

  it('estimates no rate where nothing was judged', () => {
    const suspicion = { score: Float32Array.of(1, 1, 0), threshold: 0, verdict: 'not-judged' } as const
    expect(findings(suspicion, Int32Array.of(0, 1, 1))).toMatchObject({ flagged: 2, estimatedRate: null })
  })
})

it('the reader reads', () => {
  scope(() => {
    const { logits } = reader.forward(full([1, 1, 1, 2], 2 / 255, { device }), 'eval')
    expect(logits.argmax(1).numbers()).toEqual([2])
  })
})
