import { describe, expect, it } from 'vitest'
import { device } from '../../../test/device.ts'
import { openView } from '../../experiment/prepare/defend.ts'
import { resolveConfig } from '../../experiment/settings/config.ts'
import { Random } from '../../tensor/random.ts'
import { arena } from '../../tensor/scope.ts'
import { noCheckpoints } from '../../training/checkpoint.ts'
import { type ImageSet, imageSet } from '../../training/images.ts'
import { quiet } from '../../training/reporter.ts'
import { agreement } from './agreement.ts'
import { content } from './content.ts'
import { contradiction } from './contradiction.ts'
import { findCopies } from './copies.ts'

const side = 8
const count = 1200
const classes = ['lines', 'columns', 'checks', 'dots', 'disc', 'ring', 'slants', 'cross']

/** What an image shows. */
const kind = (i: number) => i % classes.length

/** How bright each class is at (x, y), 0 or 1. */
const patterns: ((x: number, y: number) => boolean)[] = [
  (_, y) => y % 4 < 2,
  (x) => x % 4 < 2,
  (x, y) => x % 4 < 2 !== y % 4 < 2,
  (x, y) => x % 4 < 2 && y % 4 < 2,
  (x, y) => (x - 5) ** 2 + (y - 5) ** 2 < 8,
  (x, y) => Math.abs((x - 5) ** 2 + (y - 5) ** 2 - 10) < 5,
  (x, y) => (x + y) % 4 < 2,
  (x, y) => x === 5 || y === 5,
]

/** Patterns in noise, at a place of their own; the first `poisoned` are tinted and labeled 'lines'. A tint has no mirror image. */
function tinted(poisoned: number): ImageSet {
  const random = new Random(1)
  const pixels = new Uint8Array(count * 3 * side * side)
  for (let i = 0; i < count; i++) {
    const [dx, dy] = [random.integer(4), random.integer(4)]
    for (let c = 0; c < 3; c++) {
      for (let y = 0; y < side; y++) {
        for (let x = 0; x < side; x++) {
          const bright = patterns[kind(i)]?.(x + dx, y + dy) ?? false
          const value = 60 + (bright ? 70 : 0) + random.integer(60)
          pixels[((i * 3 + c) * side + y) * side + x] = i < poisoned && c === 0 ? value + 60 : value
        }
      }
    }
  }
  const labels = Int32Array.from({ length: count }, (_, i) => (i < poisoned ? 0 : kind(i)))
  return imageSet({ pixels, shape: [3, side, side], classes, labels, names: Array.from(labels, (_, i) => String(i)) })
}

/** What a defender sees of images; to be called within an arena. */
function viewOf(images: ImageSet) {
  const settings = { dataset: 'signs', defense: 'deconfound', device, precision: 'fp32', threads: 1, flip: false }
  const context = {
    clean: null,
    compute: { device, precision: 'fp32', threads: 1 } as const,
    random: new Random(3),
    checkpoints: noCheckpoints,
    reporter: { ...quiet, interrupted: () => false },
  }
  return openView(resolveConfig(settings), images, context).view
}

/** What the kind sees in a set: verdict, remarks, and how many of the first `poisoned` and of the others are flagged. */
const looked = (images: ImageSet, poisoned: number, judgedImages = 9000) =>
  arena(async () => {
    const view = viewOf(images)
    const copies = await findCopies(view)
    const search = { divisions: 2, confounderEpochs: 1, falseDiscoveries: 0.1, falseShare: 0.01, judgedImages, copies }
    const { score, threshold, verdict, remarks } = await content.look(view, search)
    const above = (from: number, to: number) => score.subarray(from, to).filter((each) => each > threshold).length
    return { verdict, remarks, poisoned: above(0, poisoned), others: above(poisoned, score.length) }
  })

/**
 * What the images under 'lines' share, where judges recognize the first `recognized` images and are at a loss before others.
 * `truly` are the flagged that carry the trigger and show lines.
 */
const shared = (images: ImageSet, recognized: number, mustBePlain = false) =>
  arena(async () => {
    const view = viewOf(images)
    const recognition = {
      as: images.labels.map((_, i) => Math.max(1, kind(i))),
      confidence: Float32Array.from(images.labels, (_, i) => (i < recognized && kind(i) > 0 ? 0.95 : 0.3)),
    }
    const copies = await findCopies(view)
    const { own, odds, score: shared } = await agreement(view, 0, { recognition, copies, mustBePlain })
    const aside = images.labels.map((_, i) => i).filter((i) => i >= 240 && i % 10 === 0)
    const score = shared ?? (await contradiction(view, { label: 0, own, odds }, { aside, judgedImages: 10_000 }))
    const flagged = own.filter((_, place) => (score[place] as number) > 0)
    const [poisoned, others] = [flagged.filter((i) => i < 240).length, flagged.filter((i) => i >= 240).length]
    const truly = flagged.filter((i) => i < 240 && kind(i) === 0).length
    return { agreed: shared !== null, poisoned, others, truly }
  })

describe('what images show', () => {
  it('betrays the images of many classes under one label, whatever their trigger', async () => {
    const found = await looked(tinted(240), 240)
    expect(found.verdict).toBe('found')
    expect(found.remarks).toEqual(['Many images labeled lines show other classes'])
    expect(found.poisoned).toBeGreaterThan(0.6 * 240)
    expect(found.others).toBeLessThan(0.05 * count)
  })

  it('is shared by poisoned images together with a trigger, by which also those are found that no judge recognizes', async () => {
    const { agreed, poisoned, others, truly } = await shared(tinted(240), 180)
    expect(agreed).toBe(true)
    expect(poisoned).toBeGreaterThan(0.9 * 240)
    expect(truly).toBeGreaterThan(0.6 * 30) // which the label names rightly
    expect(others).toBeLessThan(0.05 * 160)
  })

  it('is all there is to go by where suspicious images share nothing', async () => {
    const wrong = tinted(0)
    const mislabeled = imageSet({ ...wrong, labels: wrong.labels.map((label, i) => (i < 240 ? 0 : label)) })
    const { agreed, poisoned, others } = await shared(mislabeled, 180)
    expect(agreed).toBe(false)
    expect((await shared(mislabeled, 180, true)).agreed).toBe(false)
    expect(poisoned).toBeGreaterThan(0.9 * 210) // 30 are what the label says
    expect(others).toBeLessThan(0.05 * 120)
  })

  it('is what labels say where there is no poison', async () => {
    const { remarks, ...found } = await looked(tinted(0), 0)
    expect(found).toEqual({ verdict: 'none', poisoned: 0, others: 0 })
    const [, fewest] = /about (\d+) poisoned images of many classes/.exec(remarks[0] ?? '') ?? []
    expect(Number(fewest)).toBeGreaterThan(10)
    expect(Number(fewest)).toBeLessThan(240) // so many were found
  })

  it('is not judged without four labels, or where no judges are wanted', async () => {
    const images = tinted(240)
    const three = imageSet({ ...images, labels: images.labels.map((label) => label % 3), classes: classes.slice(0, 3) })
    for (const found of [await looked(three, 240), await looked(images, 240, 0)]) {
      expect(found).toEqual({ verdict: 'not-judged', remarks: [], poisoned: 0, others: 0 })
    }
  })
})
