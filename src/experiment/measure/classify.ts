import { readFileSync, statSync } from 'node:fs'
import { createDecoder } from '../../datasets/decode-image.ts'
import { UserError } from '../../errors.ts'
import type { Compute } from '../../tensor/device.ts'
import { arena, scope } from '../../tensor/scope.ts'
import { noGrad } from '../../tensor/tensor.ts'
import { imageSet } from '../../training/images.ts'
import { loader } from '../../training/loader.ts'
import { loadModel } from '../store/saved-model.ts'

/** What a model says of one image file. */
export interface Classification {
  readonly file: string
  readonly class: string | null
  /** of the class, by the model's own softmax */
  readonly probability: number | null
  /** why the file was refused, where it was */
  readonly problem: string | null
}

const largestFile = 256 * 2 ** 20

/** Classifies image files; a file that is no image is reported and keeps the others from nothing. */
export async function classifyFiles(
  modelFile: string,
  files: readonly string[],
  compute: Compute,
): Promise<Classification[]> {
  return arena(async () => {
    const { model, description } = loadModel(modelFile, compute)
    const [channels, height, width] = description.shape
    if (channels !== 3 || height !== width) {
      throw new UserError(
        'data',
        `Cannot classify files with '${modelFile}': it takes images of ${channels}×${height}×${width}, files become 3×N×N`,
      )
    }
    const { fit, ground = 'black' } = description
    const decoder = await createDecoder({ size: height, fit, ground })
    const classifications: Classification[] = []
    for (const file of files) {
      const decoded = await readPixels(file, (bytes) => decoder.decode(bytes))
      if (typeof decoded === 'string') {
        classifications.push({ file, class: null, probability: null, problem: decoded })
        continue
      }
      const set = imageSet({
        pixels: decoded,
        shape: description.shape,
        labels: new Int32Array(1),
        classes: description.classes,
        names: [file],
      })
      const onDevice = loader(set, compute.device)
      const probabilities = scope(() =>
        noGrad(() =>
          model
            .forward(onDevice.images(Int32Array.of(0)), 'eval', 'fp32')
            .logits.softmax(1)
            .numbers(),
        ),
      )
      onDevice.free()
      const probability = Math.max(...probabilities)
      const name = description.classes[probabilities.indexOf(probability)] as string
      classifications.push({ file, class: name, probability, problem: null })
    }
    return classifications
  })
}

/** A file's pixels, or why it has none. */
async function readPixels(
  file: string,
  decode: (bytes: Uint8Array) => Promise<Uint8Array>,
): Promise<Uint8Array | string> {
  try {
    const status = statSync(file)
    if (!status.isFile()) return 'it is not a file'
    if (status.size > largestFile) return `it has ${status.size} bytes, more than 256 MiB`
    return await decode(readFileSync(file))
  } catch (error) {
    if (error instanceof UserError || (error as NodeJS.ErrnoException).code) return (error as Error).message
    throw error
  }
}
