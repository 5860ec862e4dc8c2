import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import { type ImageSet, type ImageShape, imageBytes, imageSet } from '../training/images.ts'
import { defineDataset } from './dataset.ts'
import { side } from './signs-canvas.ts'
import { signClasses } from './signs-classes.ts'
import { drawSign } from './signs-draw.ts'

const shape: ImageShape = [3, side, side]
const count = z.int().min(signClasses.length).max(1_000_000)

/** Twelve traffic signs drawn by the program: a first run needs no data, and everybody's is the same. */
export const signs = defineDataset({
  title: 'Traffic signs, drawn',
  source: 'drawn by this program from the seed',
  data: null,
  target: 0,
  flip: false,
  learningRate: 0.1,
  options: z.object({
    train: count.default(5000).describe('how many images to train on'),
    test: count.default(1000).describe('how many images to test on'),
  }),
  recognizes: () => false,
  folderOf: () => null,
  async load({ train, test }, { seed, progress }) {
    const draw = async (split: 'train' | 'test', length: number, before: number): Promise<ImageSet> => {
      const size = imageBytes(shape)
      const pixels = new Uint8Array(length * size)
      // in turn, so that every prefix is balanced and a smaller set is the start of a larger one
      const labels = Int32Array.from({ length }, (_, i) => i % signClasses.length)
      for (let index = 0; index < length; index++) {
        const target = pixels.subarray(index * size, (index + 1) * size)
        drawSign(labels[index] as number, { seed, split: split === 'train' ? 0 : 1, index }, target)
        if (index % 250 === 249) {
          progress(before + index + 1, train + test)
          await setImmediate()
        }
      }
      const names = Array.from({ length }, (_, i) => `${split}:${i}`)
      return imageSet({ pixels, labels, names, shape, classes: signClasses.map(({ name }) => name) })
    }
    const sets = { train: await draw('train', train, 0), test: await draw('test', test, train) }
    progress(train + test, train + test)
    return { ...sets, problems: [], notes: [] }
  },
})
