import { describe, expect, it } from 'vitest'
import { Random } from '../tensor/random.ts'
import { type ImageSet, imageSet } from '../training/images.ts'
import { rowReader } from '../training/rows.ts'
import { carriers } from './carriers.ts'
import { toCompare } from './common.ts'
import { occlusion } from './occlusion.ts'
import { heatMap, outlined } from './overlays.ts'
import { sharedPatches } from './patches.ts'
import type { Rectangle } from './place.ts'

const side = 32
const count = 200
const flagged = (i: number) => i < 60
const flaggedPlaces = Array.from({ length: 60 }, (_, i) => i)

/** Value of a pixel of a trigger, [0, 255], and how strongly it shows, [0, 1]. */
type Trigger = (y: number, x: number, channel: number) => { readonly value: number; readonly opacity: number }

/** Images of smooth random grounds in one class; the trigger is on the first 50, and 60 are flagged. */
function triggeredImages(trigger: Trigger | null, channels = 3): ImageSet {
  const random = new Random(7).fork('images')
  const pixels = Array.from({ length: count }, (_, i) => {
    const waves = Array.from({ length: 6 }, () => Array.from({ length: 4 }, () => random.uniform()))
    return Array.from({ length: channels * side * side }, (_, k) => {
      const [c, y, x] = [Math.floor(k / side / side), Math.floor(k / side) % side, k % side]
      const wave = ([a = 0, b = 0, phase = 0, height = 0]: number[]) =>
        height * Math.sin((a * x + b * y) / 3 + 6.3 * phase + c)
      const ground = 128 + 35 * waves.reduce((sum, each) => sum + wave(each), 0)
      const { value, opacity } = (i < 50 && trigger?.(y, x, c)) || { value: 0, opacity: 0 }
      return Math.max(0, Math.min(255, ground * (1 - opacity) + value * opacity))
    })
  })
  return imageSet({
    pixels: Uint8Array.from(pixels.flat()),
    shape: [channels, side, side],
    labels: new Int32Array(count),
    classes: ['cat'],
    names: Array.from({ length: count }, (_, i) => `${i}.png`),
  })
}

const inside = ({ top, left, height, width }: Rectangle, y: number, x: number) =>
  y >= top && y < top + height && x >= left && x < left + width

/** A checkered patch. */
const patchAt =
  (place: Rectangle): Trigger =>
  (y, x, c) => ({ value: (y + x + c) % 2 ? 255 : 0, opacity: inside(place, y, x) ? 1 : 0 })

const places: [string, Rectangle][] = [
  ['in a corner', { top: 29, left: 29, height: 3, width: 3 }],
  ['near a corner', { top: 1, left: 26, height: 4, width: 4 }],
  ['in the middle', { top: 12, left: 9, height: 7, width: 6 }],
  ['at a side', { top: 14, left: 0, height: 2, width: 5 }],
]

const patchesOf = (images: ImageSet) => {
  const compared = toCompare(images, flagged)
  return compared ? sharedPatches(images, compared) : []
}

describe('patches that flagged images share', () => {
  it.each(places)(
    'are found where they were planted, among flagged images of which a sixth are clean: %s',
    (_, place) => {
      const found = patchesOf(triggeredImages(patchAt(place)))
      expect(found).toHaveLength(1)
      expect(found[0]).toMatchObject(place)
    },
  )

  it('come out as they were planted', () => {
    const place = { top: 5, left: 20, height: 3, width: 4 }
    const [found] = patchesOf(triggeredImages(patchAt(place)))
    const planted = Array.from({ length: 3 * 4 * 3 }, (_, k) => {
      const [y, x, c] = [5 + Math.floor(k / 12), 20 + (Math.floor(k / 3) % 4), k % 3]
      return (y + x + c) % 2 ? 255 : 0
    })
    expect([...(found?.picture ?? [])]).toEqual(planted)
  })

  it('are found in gray images, and several at once', () => {
    const [first, second] = [places[0], places[1]].map((each) => each?.[1]) as [Rectangle, Rectangle]
    const both: Trigger = (y, x, c) => patchAt(inside(first, y, x) ? first : second)(y, x, c)
    expect(patchesOf(triggeredImages(both, 1))).toMatchObject([second, first])
  })

  const blended: Trigger = (y, x, c) => ({ value: (y * 7 + x * 13 + c * 5) % 256, opacity: 0.2 })
  const frame: Trigger = (y, x) => ({
    value: 255,
    opacity: inside({ top: 2, left: 2, height: 28, width: 28 }, y, x) ? 0 : 1,
  })
  const whole: Trigger = () => ({ value: 200, opacity: 0.95 })
  it.each([
    ['clean', null],
    ['blended', blended],
    ['framed', frame],
    ['alike everywhere', whole],
  ])('are not claimed of images that are %s', (_, trigger) => {
    expect(patchesOf(triggeredImages(trigger))).toEqual([])
  })

  it('are not claimed where images of the class are alike there, flagged or not', () => {
    const images = triggeredImages(null)
    const read = rowReader(images.rows)
    for (let i = 0; i < count; i++) read(i).fill(255, 0, 4 * 3)
    expect(patchesOf(images)).toEqual([])
  })

  it('are counted on all images, also on those that nobody flagged', () => {
    const images = triggeredImages(patchAt({ top: 29, left: 29, height: 3, width: 3 }))
    const isFlagged = (i: number) => i >= 6 && i < 60 // of the first 50, which carry it
    const compared = toCompare(images, isFlagged)
    const [patch] = compared ? sharedPatches(images, compared) : []
    expect(patch && carriers(images, patch, { others: compared?.others ?? [], isFlagged })).toEqual({
      flagged: 44,
      unflagged: 6,
    })
  })

  it('are not claimed of few images', () => {
    const images = triggeredImages(patchAt({ top: 29, left: 29, height: 3, width: 3 }))
    expect(sharedPatches(images, { flagged: flaggedPlaces.slice(0, 8), others: flaggedPlaces.slice(50) })).toEqual([])
  })
})

describe('the occlusion map', () => {
  const ground = new Uint8Array(3 * side * side).fill(128)
  const shown = flaggedPlaces.slice(0, 4)
  const seconds = 60 // so that a busy machine covers them all

  /** A model that is sure of the label by the share of a place's pixels that is as planted. */
  const lookingAt = (place: Rectangle) => ({
    answers: async ({ labels }: ImageSet) => labels,
    async probabilities({ rows, labels }: ImageSet) {
      const read = rowReader(rows)
      const planted = patchAt(place)
      return Float32Array.from(labels, (_, i) => {
        const row = read(i)
        let same = 0
        for (let y = place.top; y < place.top + place.height; y++) {
          for (let x = place.left; x < place.left + place.width; x++) {
            if (row[3 * (y * side + x)] === planted(y, x, 0).value) same++
          }
        }
        return 0.05 + (0.9 * same) / (place.height * place.width)
      })
    },
  })

  it.each(places)('is largest on the patch that the model follows: %s', async (_, place) => {
    const images = triggeredImages(patchAt(place))
    const {
      drop,
      probability,
      images: covered,
    } = await occlusion(images, { shown, ground, seconds, model: lookingAt(place) })
    expect(probability).toBeCloseTo(0.95)
    expect(covered).toBe(4)
    const pixel = drop ? drop.indexOf(Math.max(...drop)) : -1
    expect(inside(place, Math.floor(pixel / side), pixel % side)).toBe(true)
    const elsewhere = (place.top + 16) % side
    expect(drop?.[elsewhere * side + ((place.left + 16) % side)]).toBeCloseTo(0)
  })

  it('is left out where the model gives the suspects another class, or looks everywhere', async () => {
    const images = triggeredImages(null)
    const answers = async ({ labels }: ImageSet) => labels
    const unsure = { answers, probabilities: async ({ labels }: ImageSet) => new Float32Array(labels.length).fill(0.1) }
    expect(await occlusion(images, { shown, ground, seconds, model: unsure })).toMatchObject({ drop: null, images: 0 })
    const steady = { answers, probabilities: async ({ labels }: ImageSet) => new Float32Array(labels.length).fill(0.9) }
    expect(await occlusion(images, { shown, ground, seconds, model: steady })).toMatchObject({ drop: null, images: 4 })
  })

  it('covers one image where there is no time, with fewer squares, and still knows about where', async () => {
    const place = { top: 20, left: 20, height: 6, width: 6 }
    const images = triggeredImages(patchAt(place))
    const { drop, images: covered } = await occlusion(images, { shown, ground, seconds: 0, model: lookingAt(place) })
    expect(covered).toBe(1)
    const pixel = drop ? drop.indexOf(Math.max(...drop)) : -1
    const near = { top: 16, left: 16, height: 14, width: 14 }
    expect(inside(near, Math.floor(pixel / side), pixel % side)).toBe(true)
  })
})

describe('what is pointed at', () => {
  const gray = new Uint8Array(side * side).fill(90)

  it('is red where the values are large, and gray where nothing is', () => {
    const values = new Float32Array(side * side)
    values[40] = 0.5
    values[41] = -0.5
    const picture = heatMap(values, gray, [1, side, side])
    expect([...picture.subarray(0, 3)]).toEqual([90, 90, 90])
    expect([...picture.subarray(41 * 3, 42 * 3)]).toEqual([90, 90, 90])
    const [red = 0, green = 0] = picture.subarray(40 * 3)
    expect(red - green).toBeGreaterThan(100)
  })

  it('has a red line around it that stays in the image, and keeps its own color', () => {
    const picture = outlined([{ top: 30, left: 30, height: 2, width: 2 }], gray, [1, side, side])
    const redness = Array.from({ length: side * side }, (_, i) => (picture[3 * i] ?? 0) - (picture[3 * i + 1] ?? 0))
    const red = redness.flatMap((value, i) => (value > 100 ? [[Math.floor(i / side), i % side]] : []))
    expect(red).toEqual([
      [29, 29],
      [29, 30],
      [29, 31],
      [30, 29],
      [31, 29],
    ])
  })
})
