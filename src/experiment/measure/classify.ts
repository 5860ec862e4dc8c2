import { readFileSync, statSync } from 'node:fs'
import { createDecoder } from '../../datasets/decode-image.ts'
import { UserError } from '../../errors.ts'
import type { Classifier } from '../../nn/classifier.ts'
import type { Compute } from '../../tensor/device.ts'
import { arena, scope } from '../../tensor/scope.ts'
import { noGrad } from '../../tensor/tensor.ts'
import { imageBytes, imageSet } from '../../training/images.ts'
import { loader } from '../../training/loader.ts'
import { rowsOf } from '../../training/rows.ts'
import type { ForeignReading } from '../store/foreign-model.ts'
import { loadModel, type ModelDescription } from '../store/saved-model.ts'
import { findImages, type ImageFile } from './image-files.ts'

/** A class, and its probability by the model's own softmax. */
export interface Guess {
  readonly class: string
  readonly probability: number
}

/** What a model says of one image file. */
export interface Classification {
  readonly file: string
  /** the most probable class; null for a file that was refused */
  readonly class: string | null
  readonly probability: number | null
  /** the most probable classes, the best first; as many as were asked for */
  readonly guesses: readonly Guess[]
  /** why the file was refused, where it was */
  readonly problem: string | null
}

const largestFile = 256 * 2 ** 20
/** how many files are read and classified at a time */
const together = 8

/** Classifies image files, and those in folders; a file that is no image is reported and keeps the others from nothing. */
export async function classifyFiles(
  modelFile: string,
  words: readonly string[],
  { compute, top = 1, reading = {} }: { compute: Compute; top?: number; reading?: ForeignReading },
): Promise<Classification[]> {
  return arena(async () => {
    const { model, description } = loadModel(modelFile, compute, reading)
    const [channels, height, width] = description.shape
    if (channels !== 3 || height !== width) {
      throw new UserError(
        'data',
        `Cannot classify files with '${modelFile}': it takes images of ${channels}×${height}×${width}, files become 3×N×N`,
      )
    }
    const { fit, ground = 'black' } = description
    const decoder = await createDecoder({ size: height, fit, ground })
    const files = await findImages(words)
    const classifications: Classification[] = []
    for (let from = 0; from < files.length; from += together) {
      const part = files.slice(from, from + together)
      const read = await Promise.all(part.map((file) => readPixels(file, decoder.decode)))
      const images = read.filter((each) => typeof each !== 'string')
      const guesses = guess(model, images, { description, device: compute.device })
      for (const [i, { name: file }] of part.entries()) {
        const found = read[i]
        const ranked = typeof found === 'string' ? [] : (guesses.shift() as readonly Guess[])
        const { class: best = null, probability = null } = ranked[0] ?? {}
        const problem = typeof found === 'string' ? found : null
        classifications.push({ file, class: best, probability, guesses: ranked.slice(0, top), problem })
      }
    }
    return classifications
  })
}

/** Of each image all classes, the most probable first. */
function guess(
  model: Classifier,
  images: readonly Uint8Array[],
  { description: { shape, classes }, device }: { description: ModelDescription; device: string },
): Guess[][] {
  if (images.length === 0) return []
  const count = images.length
  const rows = rowsOf(Buffer.concat(images), imageBytes(shape))
  const names = images.map((_, i) => String(i))
  const onDevice = loader(imageSet({ rows, shape, labels: new Int32Array(count), classes, names }), device)
  const places = Int32Array.from({ length: count }, (_, i) => i)
  const probabilities = scope(() =>
    noGrad(() => model.forward(onDevice.images(places), 'eval', 'fp32').logits.softmax(1).numbers()),
  )
  onDevice.free()
  return images.map((_, i) =>
    classes
      .map((name, k) => ({ class: name, probability: probabilities[i * classes.length + k] as number }))
      .sort((a, b) => b.probability - a.probability),
  )
}

/** A file's pixels, or why it has none. */
async function readPixels(
  { path, problem }: ImageFile,
  decode: (bytes: Uint8Array) => Promise<Uint8Array>,
): Promise<Uint8Array | string> {
  if (problem !== undefined) return problem
  try {
    const status = statSync(path)
    if (!status.isFile()) return 'it is not a file'
    if (status.size > largestFile) return `it has ${status.size} bytes, more than 256 MiB`
    return await decode(readFileSync(path))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return 'there is no such file'
    if (error instanceof UserError || code) return message
    throw error
  }
}
