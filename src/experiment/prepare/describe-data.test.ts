import { describe, expect, it } from 'vitest'
import { imageSet } from '../../training/images.ts'
import { describeDataset, describeProblems } from './describe-data.ts'

const set = (classes: readonly string[], labels: readonly number[]) =>
  imageSet({
    pixels: new Uint8Array(labels.length),
    shape: [1, 1, 1],
    labels: Int32Array.from(labels),
    classes,
    names: labels.map(String),
  })

describe('what a person is told of a data set', () => {
  it('names classes with their counts, and classes without test images', () => {
    const classes = ['cat', 'dog', 'fox']
    const dataset = { train: set(classes, [0, 0, 1, 2]), test: set(classes, [0, 1]), problems: [], notes: ['a note'] }
    expect(describeDataset(dataset)).toEqual(['3 classes: cat 2, dog 1, fox 1', '2 test images, none of fox', 'a note'])
  })

  it('names the first of many classes, and how many images the classes have', () => {
    const classes = Array.from({ length: 30 }, (_, k) => `c${k}`)
    const train = set(classes, [...classes.keys(), 29])
    const [line] = describeDataset({ train, test: null, problems: [], notes: [] })
    expect(line).toMatch(/^30 classes: c0 1, .*, c19 1 and 10 more, of 1 to 2 images each$/)
  })

  it('tells thousands of skipped files in a line for each reason, however the numbers in it differ', () => {
    const texts = Array.from({ length: 3000 }, (_, i) => ({ file: `a/${i}.txt`, reason: 'it is no image' }))
    const short = [12, 13].map((length) => ({ file: `a/${length}.ppm`, reason: `it has ${length} of 100 bytes` }))
    const one = { file: 'b', reason: 'it is empty' }
    expect(describeProblems([one, ...short, ...texts])).toEqual([
      'skipped 3000 (a/0.txt, a/1.txt, a/2.txt, …): it is no image',
      'skipped 2 (a/12.ppm, a/13.ppm): it has 12 of 100 bytes',
      'skipped b: it is empty',
    ])
  })

  it('tells ten reasons, and counts the rest', () => {
    const reasons = [...'abcdefghijklm'].map((letter) => ({ file: letter, reason: letter }))
    expect(describeProblems(reasons)).toHaveLength(11)
    expect(describeProblems(reasons).at(-1)).toBe('skipped 3 more for other reasons')
  })
})
