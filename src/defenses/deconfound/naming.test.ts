import { describe, expect, it } from 'vitest'
import { Random } from '../../tensor/random.ts'
import { arena } from '../../tensor/scope.ts'
import { type ImageSet, imageSet } from '../../training/images.ts'
import { loader } from '../../training/loader.ts'
import { naming } from './naming.ts'

const side = 12
const classes = ['barn', 'church', 'house', 'mill']
const count = 400

/** Noise around a brightness of its class; `marked` images have white pixels where `isMark` says, and are labeled `labelOf`. */
function images(
  marked: (i: number) => boolean,
  isMark: (x: number, y: number) => boolean,
  labelOf = (i: number) => i % classes.length,
) {
  const random = new Random(1)
  const pixels = Uint8Array.from({ length: count * side * side }, (_, at) => {
    const [i, x, y] = [Math.floor(at / side ** 2), at % side, Math.floor((at % side ** 2) / side)]
    return marked(i) && isMark(x, y) ? 255 : 40 + 30 * (i % classes.length) + random.integer(60)
  })
  const labels = Int32Array.from({ length: count }, (_, i) => labelOf(i))
  return imageSet({ pixels, shape: [1, side, side], classes, labels, names: Array.from(labels, (_, i) => String(i)) })
}

/** What is said of a set, its flagged images given. */
const named = (set: ImageSet, isFlagged: (i: number) => boolean, contradicted = false) =>
  arena(async () => naming({ images: loader(set, 'cpu'), classes }, isFlagged, { contradicted, falseDiscoveries: 0.1 }))

const corner = (x: number, y: number) => x >= side - 3 && y >= side - 3
const churches = (i: number) => i % 4 === 1 && i < 248

describe('what flagged images share', () => {
  it('is a mark of their class, where their labels seem true', async () => {
    expect(await named(images(churches, corner), churches)).toEqual([
      '62 % of the images labeled church are flagged; most share a mark at the lower right',
      expect.stringMatching(
        /^The labels of flagged images seem true: without them church is smaller than other classes/,
      ),
    ])
  })

  it('is a mark alone, where images of all classes carry one label', async () => {
    const poisoned = (i: number) => i < 40
    const said = (isMark: (x: number, y: number) => boolean) =>
      named(
        images(poisoned, isMark, (i) => (poisoned(i) ? 0 : i % 4)),
        poisoned,
      )
    expect(await said(corner)).toEqual([
      '31 % of the images labeled barn are flagged; most share a mark at the lower right',
    ])
    expect(await said((x, y) => x < 3 && y < 3)).toEqual([expect.stringContaining('a mark at the upper left')])
    expect(await said((_, y) => y === 6)).toEqual([expect.stringContaining('a mark across the middle')])
    expect(await said((x) => x === 11)).toEqual([expect.stringContaining('a mark from top to bottom, on the right')])
    expect(await said((x, y) => (x + y) % 5 === 0)).toEqual([
      expect.stringContaining('differ from other images all over the image: by a pattern, a tint, or what they show'),
    ])
  })

  it('leaves open whether labels are true where classes differ in size, unless content contradicts them', async () => {
    const sizes = [20, 60, 140, 180].flatMap((size, label) => Array<number>(size).fill(label))
    const set = images(
      (i) => i < 60 && i >= 20,
      corner,
      (i) => sizes[i] as number,
    )
    const marked = (i: number) => i >= 20 && i < 60
    expect(await named(set, marked)).toEqual([
      expect.stringContaining('a mark at the lower right'),
      'Classes differ in size, so nothing tells whether the labels of flagged images are true. If church bears a watermark, train with --defense.unlearn false',
    ])
    expect(await named(set, marked, true)).toHaveLength(1)
  })

  it('is not called a mark where they show another class', async () => {
    const mills = (i: number) => i % 4 === 3 && i < 80
    const relabeled = images(
      () => false,
      corner,
      (i) => (mills(i) ? 0 : i % 4),
    )
    expect(await named(relabeled, mills)).toEqual([expect.not.stringContaining('mark')])
  })

  it('is not asked where nothing is flagged, or no label has more than half of it', async () => {
    const plain = images(() => false, corner)
    expect(await named(plain, () => false)).toEqual([])
    expect(await named(plain, (i) => i < 100)).toEqual([])
  })
})
