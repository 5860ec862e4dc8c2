import { describe, expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import { Random } from '../tensor/random.ts'
import { scope } from '../tensor/scope.ts'
import { liveTensors } from '../tensor/tensor.ts'
import { type Augmentation, drawAugmentation } from './augment.ts'
import { type ImageSet, type ImageShape, imageBytes, imageSet, pixelsOf, subset } from './images.ts'
import { inOrder, loader, part } from './loader.ts'

const shape: ImageShape = [3, 9, 7]
const [channels, height, width] = shape
const [full, flipOnly, cutOnly]: Augmentation[] = [
  { padding: 2, flip: true, cutout: 3 },
  { padding: 0, flip: true, cutout: 0 },
  { padding: 0, flip: false, cutout: 3 },
]

function images(count: number, value = (i: number) => (i * 97 + 13) % 256): ImageSet {
  const pixels = Uint8Array.from({ length: count * imageBytes(shape) }, (_, i) => value(i))
  const labels = Int32Array.from({ length: count }, (_, i) => i % 2)
  return imageSet({ pixels, labels, shape, classes: ['a', 'b'], names: Array.from(labels, String) })
}

/** [image][channel][row][column], in [0, 1], of an augmented batch. */
function augmented(set: ImageSet, augmentation: Augmentation, { seed = 1, batch = 1000 } = {}) {
  const onDevice = loader(set, device)
  const draws = drawAugmentation(new Random(seed), augmentation, set.labels.length, [height, width])
  const values = inOrder(set.labels.length, batch).flatMap((indices) =>
    scope(() => onDevice.images(indices, draws).numbers()),
  )
  onDevice.free()
  const row = (at: number) => values.slice(at, at + width)
  const plane = (at: number) => Array.from({ length: height }, (_, y) => row(at + y * width))
  const image = (at: number) => Array.from({ length: channels }, (_, c) => plane(at + c * height * width))
  return { images: set.names.map((_, i) => image(i * imageBytes(shape))), draws, values }
}

/** Pad, crop, mirror, cut out: one image at a time, in plain JavaScript. */
function reference(set: ImageSet, i: number, { padding, cutout }: Augmentation, draw: Int16Array): number[][][] {
  const [rowShift, columnShift, mirrored, cutRow, cutColumn] = draw as unknown as [
    number,
    number,
    number,
    number,
    number,
  ]
  const pixels = pixelsOf(set, [i])
  return Array.from({ length: channels }, (_, c) => {
    const padded = Array.from({ length: height + 2 * padding }, () => new Array<number>(width + 2 * padding).fill(0))
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const byte = pixels[(c * height + y) * width + x] as number
        ;(padded[y + padding] as number[])[x + padding] = Math.fround(byte / 255)
      }
    }
    const cropped = Array.from({ length: height }, (_, y) => {
      const start = columnShift + padding
      const row = (padded[y + rowShift + padding] as number[]).slice(start, start + width)
      return mirrored ? row.reverse() : row
    })
    const before = (cutout - 1) / 2
    for (let y = cutRow - before; cutout > 0 && y <= cutRow + before; y++) {
      for (let x = cutColumn - before; x <= cutColumn + before; x++) {
        if (cropped[y]?.[x] !== undefined) (cropped[y] as number[])[x] = 0
      }
    }
    return cropped
  })
}

describe('the draws of an augmentation', () => {
  const size = [height, width] as const
  const column = (table: Int16Array, k: number) => Array.from(table).filter((_, i) => i % 5 === k)

  it('have every offset, both mirrorings and every place of the cutout, about equally often', () => {
    const { table } = drawAugmentation(new Random(1), { padding: 4, flip: true, cutout: 3 }, 20_000, size)
    const expected = [
      [-4, 4],
      [-4, 4],
      [0, 1],
      [0, height - 1],
      [0, width - 1],
    ] as const
    expected.forEach(([low, high], k) => {
      const values = column(table, k)
      const options = high - low + 1
      expect([Math.min(...values.slice(0, 5000)), Math.max(...values.slice(0, 5000))]).toEqual([low, high])
      for (let value = low; value <= high; value++) {
        const share = values.filter((each) => each === value).length / values.length
        expect(share * options).toBeGreaterThan(0.9)
        expect(share * options).toBeLessThan(1.1)
      }
    })
    const offsets = new Set(column(table, 0).map((row, i) => `${row} ${table[5 * i + 1]}`))
    expect(offsets.size).toBe(81)
  })

  it('are nothing where nothing is asked for', () => {
    const { table } = drawAugmentation(new Random(1), { padding: 0, flip: false, cutout: 0 }, 100, size)
    expect(table.every((value) => value === 0)).toBe(true)
  })

  it('depend on the stream and the sample alone, not on how many samples there are', () => {
    const draw = (seed: number, count: number) =>
      drawAugmentation(new Random(seed), full as Augmentation, count, size).table
    expect(draw(1, 50)).toEqual(draw(1, 50))
    expect(draw(1, 50)).toEqual(draw(1, 500).subarray(0, 250))
    expect(draw(1, 50)).not.toEqual(draw(2, 50))
  })
})

describe('an augmented batch', () => {
  it.each<[string, Augmentation]>([
    ['crop, flip and cutout', full as Augmentation],
    ['crop', { padding: 3, flip: false, cutout: 0 }],
    ['flip', flipOnly as Augmentation],
    ['cutout', cutOnly as Augmentation],
    ['nothing', { padding: 0, flip: false, cutout: 0 }],
  ])('is what plain JavaScript makes of it, pixel by pixel: %s', (_, augmentation) => {
    const set = images(60)
    const { images: actual, draws } = augmented(set, augmentation)
    actual.forEach((image, i) => {
      const expected = reference(set, i, augmentation, draws.table.subarray(5 * i, 5 * i + 5)).flat(2)
      const worst = image
        .flat(2)
        .reduce((most, value, k) => Math.max(most, Math.abs(value - (expected[k] as number))), 0)
      expect(worst).toBeLessThan(1e-7)
    })
  })

  it('shows each image the same whatever else is in the batch', () => {
    const set = images(30)
    const { values } = augmented(set, full as Augmentation)
    for (const batch of [1, 7]) expect(augmented(set, full as Augmentation, { batch }).values).toEqual(values)
  })

  it('has exact zeros outside of the image, and mirrors half of the images exactly', () => {
    const white = augmented(
      images(50, () => 255),
      { padding: 4, flip: false, cutout: 0 },
    )
    expect(new Set(white.values)).toEqual(new Set([0, 1]))
    const set = images(400)
    const plain = augmented(set, { padding: 0, flip: false, cutout: 0 }).images
    const { images: flipped } = augmented(set, flipOnly as Augmentation)
    const mirror = (image: number[][][]) => image.map((plane) => plane.map((row) => [...row].reverse()))
    const mirrored = flipped.filter((image, i) => {
      const original = plain[i] as number[][][]
      const same = String(image) === String(original)
      if (!same) expect(String(image)).toBe(String(mirror(original)))
      return !same
    })
    expect(mirrored.length).toBeGreaterThan(150)
    expect(mirrored.length).toBeLessThan(250)
  })

  it.each([1, 2, 3, 5])(
    'has one cutout of %s pixels, smaller only at the border, the same in all channels',
    (cutout) => {
      const { images: cut } = augmented(
        images(300, () => 255),
        { padding: 0, flip: false, cutout },
      )
      const areas = cut.map(([first, ...others]) => {
        for (const plane of others) expect(String(plane)).toBe(String(first))
        const black = (first as number[][]).map((row) => row.filter((value) => value === 0).length)
        const rows = black.filter((count) => count > 0)
        expect(new Set(rows).size).toBe(1)
        return { rows: rows.length, columns: rows[0] as number }
      })
      expect(Math.max(...areas.map(({ rows }) => rows))).toBe(cutout)
      expect(Math.max(...areas.map(({ columns }) => columns))).toBe(cutout)
      expect(areas.filter(({ rows, columns }) => rows === cutout && columns === cutout).length).toBeGreaterThan(50)
    },
  )

  it('is the same for some of the images as for a set of these alone', () => {
    const set = images(9)
    const chosen = Int32Array.of(7, 0, 3, 4)
    const draws = drawAugmentation(new Random(5), full as Augmentation, chosen.length, [height, width])
    const [whole, alone] = [loader(set, device), loader(subset(set, chosen), device)]
    const some = part(whole, chosen)
    scope(() => {
      for (const indices of [Int32Array.of(0, 1, 2, 3), Int32Array.of(3, 1)]) {
        for (const given of [undefined, draws])
          expect(some.images(indices, given).numbers()).toEqual(alone.images(indices, given).numbers())
        expect(some.labelsOf(indices).numbers()).toEqual(alone.labelsOf(indices).numbers())
      }
    })
    for (const each of [whole, alone]) each.free()
  })

  it('is channels last, float32, and leaves no tensor behind', () => {
    const before = liveTensors()
    const onDevice = loader(images(4), device)
    const draws = drawAugmentation(new Random(1), full as Augmentation, 4, [height, width])
    scope(() => {
      const batch = onDevice.images(Int32Array.of(2, 0), draws)
      expect([batch.dtype, batch.shape, batch.device]).toEqual(['float32', [2, ...shape], device])
      expect([...onDevice.labelsOf(Int32Array.of(1, 2, 3)).numbers()]).toEqual([1, 0, 1])
    })
    onDevice.free()
    expect(liveTensors()).toBe(before)
  })
})
