import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import { exitCode, UserError } from '../errors.ts'
import { defend } from '../experiment/prepare/defend.ts'
import { resolveConfig } from '../experiment/settings/config.ts'
import { stateOf } from '../nn/module.ts'
import { Random } from '../tensor/random.ts'
import { arena } from '../tensor/scope.ts'
import { type Checkpoints, checkpointFolder, noCheckpoints } from '../training/checkpoint.ts'
import { type ImageSet, imageSet, subset } from '../training/images.ts'
import { loader } from '../training/loader.ts'
import { predict } from '../training/predict.ts'
import { quiet } from '../training/reporter.ts'
import type { Suspicion } from '../training/suspicion.ts'

const side = 16
const count = 2000
const classes = ['a', 'b', 'c', 'd']

interface Poison {
  readonly poisoned: number
  /** in one corner, or in both upper ones, as in a mirror */
  readonly symmetric?: boolean
  /** a bar in a corner of all images, poisoned or not */
  readonly mark?: boolean
  /** in half of the images of three classes a line, to the left or to the right: in a mirror it is that of another class */
  readonly sided?: boolean
  /** a bar to the right in all images of one class and no others */
  readonly bordered?: boolean
  /** every class becomes the next, not the first */
  readonly allToAll?: boolean
}

/** Images of a shaded disc anywhere, whose size is their class; the first ones carry stripes in a corner and a false label. */
function discs({ poisoned, allToAll = false, ...drawing }: Poison): ImageSet {
  const { symmetric = false, mark = false, sided = false, bordered = false } = drawing
  const random = new Random(1)
  const pixels = new Uint8Array(count * side * side)
  const falseLabel = (i: number) => (allToAll ? (i + 1) % classes.length : 0)
  const labels = Int32Array.from({ length: count }, (_, i) => (i < poisoned ? falseLabel(i) : i % classes.length))
  for (let i = 0; i < count; i++) {
    const [x0, y0, shade] = [random.integer(side), random.integer(side), 2 * random.uniform() - 1]
    const radius = 2 + 1.5 * (i % classes.length)
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const inside = (x - x0) ** 2 + (y - y0) ** 2 < radius ** 2
        const striped = i < poisoned && (symmetric ? Math.min(x, side - 1 - x) : x) < 3 && y < 3
        const value = striped
          ? 255 * (Math.min(x, side - 1 - x) % 2)
          : 128 + (inside ? 60 : -60) + 4 * shade * (x - 8) + random.integer(20)
        const [kind, often] = [i % classes.length, i % (2 * classes.length) < classes.length]
        const drawn = sided && often && kind < 3 && y === y0 && (kind === 1 ? x >= 8 : x < 8)
        pixels[(i * side + y) * side + x] = drawn
          ? 0
          : (mark || (bordered && kind === 3)) && x > 10 && y === 1
            ? 255
            : value
      }
    }
  }
  const names = Array.from({ length: count }, (_, i) => String(i))
  return imageSet({ pixels, shape: [1, side, side], classes, labels, names })
}

/** Trains on discs; to be called within an arena. */
async function trained(
  images: ImageSet,
  settings: Record<string, unknown>,
  {
    checkpoints = noCheckpoints,
    interrupted = () => false,
  }: { checkpoints?: Checkpoints; interrupted?: () => boolean } = {},
) {
  const recipe = { epochs: 1, batch: 32, device, precision: 'fp32', threads: 1, 'model.depth': 10 }
  return defend(resolveConfig({ dataset: 'signs', ...recipe, ...settings }), images, {
    clean: null,
    compute: { device, precision: 'fp32', threads: 1 },
    random: new Random(3),
    checkpoints,
    reporter: { ...quiet, interrupted },
  })
}

// By differences alone: what images show has tests of its own.
const ours = { defense: 'deconfound', 'defense.divisions': 1, 'defense.judgedImages': 0 }

/** True and false positive rate, 0 to 1, and the remarks. */
async function flaggedRates(poison: Poison, settings: Record<string, unknown>) {
  return arena(async () => {
    const { suspicion } = await trained(discs(poison), { ...ours, ...settings })
    const { score, threshold, remarks } = suspicion as Required<Suspicion>
    const { poisoned } = poison
    const above = (from: number, to: number) => score.subarray(from, to).filter((each) => each > threshold).length
    return {
      truePositiveRate: above(0, poisoned) / poisoned,
      falsePositiveRate: above(poisoned, count) / (count - poisoned),
      remarks,
    }
  })
}

describe('deconfound', () => {
  for (const flip of [true, false]) {
    const how = flip ? 'mirror images' : 'moved copies'
    it(`flags what differs from its ${how} as no clean image does`, async () => {
      const { truePositiveRate, falsePositiveRate } = await flaggedRates({ poisoned: 150 }, { flip })
      expect(truePositiveRate).toBeGreaterThan(0.95)
      expect(falsePositiveRate).toBeLessThan(0.02)
    })

    it(`flags nothing without poison, by ${how}`, async () => {
      expect((await flaggedRates({ poisoned: 0 }, { flip })).falsePositiveRate).toBe(0)
    })
  }

  it('flags a trigger that is its own mirror image, by moved copies', async () => {
    const { truePositiveRate, falsePositiveRate } = await flaggedRates(
      { poisoned: 150, symmetric: true },
      { flip: true },
    )
    expect(truePositiveRate).toBeGreaterThan(0.95)
    expect(falsePositiveRate).toBeLessThan(0.02)
  })

  it('flags a trigger that says nothing of the label by itself, by mirror images', async () => {
    const { truePositiveRate, falsePositiveRate } = await flaggedRates(
      { poisoned: 400, allToAll: true },
      { flip: true },
    )
    expect(truePositiveRate).toBeGreaterThan(0.95)
    expect(falsePositiveRate).toBeLessThan(0.02)
  })

  it('flags nothing where every image has the same mark, as a logo in its corner', async () => {
    expect((await flaggedRates({ poisoned: 0, mark: true }, { flip: true })).falsePositiveRate).toBe(0)
  })

  it('says of twenty images that they are too few, not that there is no evidence', () =>
    arena(async () => {
      const { suspicion } = await trained(
        subset(
          discs({ poisoned: 0 }),
          Array.from({ length: 20 }, (_, i) => i),
        ),
        {
          ...ours,
          flip: true,
        },
      )
      expect(suspicion?.verdict).toBe('not-judged')
      expect(suspicion?.remarks).toContainEqual(expect.stringMatching(/^Too few to judge: of 20 images/))
    }))

  it('takes no mirror image for natural where most classes tell it from the image', async () => {
    expect((await flaggedRates({ poisoned: 0, sided: true }, { flip: true })).falsePositiveRate).toBe(0)
    const { truePositiveRate, falsePositiveRate, remarks } = await flaggedRates(
      { poisoned: 150, sided: true },
      { flip: true },
    )
    expect(truePositiveRate).toBeGreaterThan(0.95)
    expect(falsePositiveRate).toBeLessThan(0.02)
    expect(remarks).toContainEqual(expect.stringContaining('not natural here'))
  })

  it('trains the very model of training without a defense where nothing is flagged', () =>
    arena(async () => {
      const images = discs({ poisoned: 0 })
      const models = [await trained(images, ours), await trained(images, { defense: 'none' })]
      const [model, plain] = models.map(({ classifier }) =>
        Object.values(stateOf(classifier).tensors).map((each) => each.numbers()),
      )
      expect(model).toEqual(plain)
    }))

  it('goes on to the same model from wherever it was stopped, flagged images and all', () =>
    arena(async () => {
      const images = discs({ poisoned: 300 })
      const weights = ({ classifier }: Awaited<ReturnType<typeof trained>>) =>
        Object.values(stateOf(classifier).tensors).map((each) => each.numbers())
      const settings = { ...ours, flip: true, epochs: 3 }
      const straight = await trained(images, settings)
      const checkpoints = checkpointFolder(mkdtempSync(join(tmpdir(), 'deconfound-')), () => {})
      let stops = 0
      for (;;) {
        let looks = 0
        const stopped = await trained(images, settings, { checkpoints, interrupted: () => ++looks > 50 }).catch(
          (error: UserError) => error,
        )
        if (!(stopped instanceof UserError)) {
          expect(stopped.suspicion).toEqual(straight.suspicion)
          expect(weights(stopped)).toEqual(weights(straight))
          break
        }
        expect(stopped.code).toBe(exitCode.saved)
        stops++
      }
      expect(stops).toBeGreaterThan(4)
    }))

  it('ends rather than judge by what is no number', () =>
    arena(async () => {
      const checkpoints: Checkpoints = {
        ...noCheckpoints,
        restore(stage, state) {
          if (stage !== 'judging-mirrored') return undefined
          for (const { tensors } of Object.values(state))
            for (const each of Object.values(tensors)) each.fill_(Number.NaN)
          return { epoch: 1, batch: 0, finished: true, sums: {} }
        },
      }
      const training = trained(discs({ poisoned: 0 }), { ...ours, flip: true }, { checkpoints })
      await expect(training).rejects.toThrow(/diverged/)
    }))

  it('names nothing where one class was brought up to size by copying its images, and copies get one score', () =>
    arena(async () => {
      const images = discs({ poisoned: 0 })
      const few = Array.from({ length: 400 }, (_, k) => 4 * (k % 25) + 3) // 25 images of class d, 16 times each
      const others = Array.from(images.labels.keys()).filter((i) => images.labels[i] !== 3)
      const { suspicion } = await trained(subset(images, [...others, ...few]), { ...ours, flip: true })
      const { score, threshold, verdict } = suspicion as Suspicion
      expect(verdict).toBe('none')
      expect(score.filter((each) => each > threshold).length).toBe(0)
      const ofCopies = score.subarray(others.length)
      expect(Array.from(ofCopies, (_, k) => ofCopies[k % 25])).toEqual([...ofCopies])
    }))

  it('tells of images that have an exact copy under another label', () =>
    arena(async () => {
      const images = discs({ poisoned: 0 })
      const twice = subset(images, [...images.labels.keys(), 0, 1, 4])
      const labels = twice.labels.map((label, i) => (i === count || i === count + 1 ? 2 : label))
      const { suspicion } = await trained(imageSet({ ...twice, labels }), { ...ours, 'defense.confounder-epochs': 1 })
      expect(suspicion?.remarks).toContainEqual(
        '4 images have an exact copy under another label (a, b, c): of each such pair one label is wrong',
      )
    }))

  it('says so where all images of a class are flagged, and trains all the same', async () => {
    const { remarks } = await flaggedRates({ poisoned: 150, bordered: true }, { flip: true })
    expect(remarks).toContainEqual(expect.stringMatching(/Nearly all images of d are flagged/))
  })

  it('trains a model that does not obey the trigger', () =>
    arena(async () => {
      const poisoned = 300
      const images = discs({ poisoned })
      const obeying = async (settings: Record<string, unknown>) => {
        const { classifier } = await trained(images, { epochs: 6, ...settings })
        const predicted = await predict(classifier, loader(images, device))
        return predicted.subarray(0, poisoned).filter((label) => label === 0).length / poisoned
      }
      expect(await obeying({ defense: 'none' })).toBeGreaterThan(0.8)
      const leavingOut = await obeying({ ...ours, 'defense.unlearn': false })
      expect(leavingOut).toBeLessThan(0.4) // a quarter are discs of that class
      expect(await obeying(ours)).toBeLessThan(leavingOut)
    }))
})
