import { expect, it } from 'vitest'
import type { FileFacts } from '../../datasets/file-facts.ts'
import { imageSet } from '../../training/images.ts'
import { labelClues } from './clues.ts'

const side = 8

/** 40 images of noise in two classes; `facts` says what the file of an image is. */
function find(facts: (i: number, label: number) => Partial<FileFacts>, paint: Paint = () => {}) {
  const count = 40
  const labels = Int32Array.from({ length: count }, (_, i) => i % 2)
  const names = Array.from(labels, (label, i) => `${label}/${i}.png`)
  const pixels = Uint8Array.from({ length: count * 3 * side * side }, (_, i) => (i * 7919 + (i >> 3) * 104729) % 251)
  for (const [i, label] of labels.entries()) {
    const own = pixels.subarray(i * 3 * side * side, (i + 1) * 3 * side * side)
    paint(own, label)
  }
  const train = imageSet({ pixels, labels, names, shape: [3, side, side], classes: ['cat', 'dog'] })
  const files = names.map(
    (name, i): FileFacts => ({
      name,
      bytes: 1000 + ((i * 37) % 40),
      hash: name,
      format: 'png',
      truncated: false,
      size: { width: 60, height: 40 },
      metadata: {},
      ...facts(i, labels[i] as number),
    }),
  )
  const material = { sets: { train, test: null }, problems: [], files: new Map(files.map((each) => [each.name, each])) }
  return labelClues.find(material)
}

type Paint = (pixels: Uint8Array, label: number) => void

const propertiesIn = (found: ReturnType<typeof find>) => [
  ...new Set((found?.items ?? []).map(({ figures }) => figures?.property)),
]

it('says nothing where files tell nothing', () => {
  expect(find(() => ({}))).toBeNull()
})

it.each<[string, (i: number, label: number) => Partial<FileFacts>, string]>([
  ['the format', (_, label) => ({ format: label === 0 ? 'png' : 'jpeg' }), 'format'],
  ['the bytes', (i, label) => ({ bytes: 5000 + 3000 * label + i }), 'bytes'],
  ['the size', (i, label) => ({ size: { width: 60 + i + 100 * label, height: 40 } }), 'width'],
  ['metadata', (_, label) => ({ metadata: { exif: label === 0 ? 'there' : 'absent' } }), 'metadata: exif'],
])('tells labels that follow from %s', (_, facts, property) => {
  const found = find(facts)
  expect(propertiesIn(found)).toContain(property)
  expect(found?.items[0]?.figures?.accuracy).toBe(1)
})

it('counts as one would by hand: 18 of 20 dogs and 2 of 20 cats are JPEG files', () => {
  // dogs are 1, 3, …, 39, and cats 0, 2, …, 38
  const found = find((i, label) => ({ format: (label === 1) !== i < 4 ? 'jpeg' : 'png' }))
  const dog = found?.items.find(({ classes }) => classes[0] === 'dog')
  expect(dog?.figures).toMatchObject({ property: 'format', values: 'jpeg', truePositiveRate: 0.9 })
  expect(dog?.figures?.falsePositiveRate).toBeCloseTo(0.1)
  expect(dog?.figures?.accuracy).toBeCloseTo(0.9)
  expect(dog?.says).toContain("90.0 % of class 'dog' and 10.0 % of the others")
})

it('tells a border that one class has', () => {
  const found = find(
    () => ({}),
    (pixels, label) => {
      if (label !== 1) return
      for (let y = 0; y < side; y++)
        for (let x = 0; x < side; x++)
          if (Math.min(x, y, side - 1 - x, side - 1 - y) < 1)
            for (let c = 0; c < 3; c++) pixels[c * side * side + y * side + x] = 200 + ((x + y) % 5)
    },
  )
  expect(propertiesIn(found)).toEqual(['border all around, pixels'])
  expect(found?.items[0]?.figures).toMatchObject({ accuracy: 1 })
})

it('takes a property for no clue that happens to go with a few images', () => {
  // one dog in twenty has EXIF data, and no cat
  expect(find((i) => ({ metadata: { exif: i === 3 ? 'there' : 'absent' } }))).toBeNull()
  // every file has its own value: seen once each, such values say nothing of an image not seen
  expect(find((i) => ({ metadata: { id: String(i) } }))).toBeNull()
})
