import { existsSync, readFileSync } from 'node:fs'
import type { Moment } from '../../defenses/defense.ts'
import { UserError } from '../../errors.ts'
import { writeAtomically } from '../../files.ts'
import { Random } from '../../tensor/random.ts'
import { scope } from '../../tensor/scope.ts'
import { tensor } from '../../tensor/tensor.ts'
import { pack, unpack } from '../../training/checkpoint.ts'

// How networks see a sample of the training images, kept with a run so that nothing is trained again to be drawn. A
// safetensors file: `places` of the sample in the data set and its `labels` as given, int32 [sample], and for each network and
// moment `<name>/<moment>`, float32 [sample, width].

/** Which images are portrayed, and who keeps the portraits. */
export interface Portraits {
  readonly sample: Int32Array
  keep(name: string, moment: Moment, embeddings: Portrait): void
}

/** Embeddings of a sample of the images, float32 [sample, width], row by row. */
export interface Portrait {
  readonly width: number
  readonly values: Float32Array
}

/** images of the sample, where there are so many */
const sampleSize = 2000

/** Keeps portraits in a file; `order` gives the places of the training images in the data set. */
export function keepPortraits(
  path: string,
  { labels, order, seed }: { labels: Int32Array; order: Int32Array; seed: number },
): Portraits {
  const sample = new Random(seed).fork('portraits').permutation(labels.length).slice(0, sampleSize).sort()
  const kept = new Map<string, Portrait>()
  return {
    sample,
    keep(name, moment, portrait) {
      kept.set(`${name}/${moment}`, portrait)
      const count = sample.length
      scope(() => {
        const lists = {
          places: tensor(
            sample.map((i) => order[i] as number),
            [count],
          ),
          labels: tensor(
            sample.map((i) => labels[i] as number),
            [count],
          ),
        }
        const portraits = [...kept].map(([key, { values, width }]) => [key, tensor(values, [count, width])])
        writeAtomically(
          path,
          pack({ ...lists, ...Object.fromEntries(portraits) }, { format: 'deconfound portraits 1' }),
        )
      })
    },
  }
}

/** The portraits of a run. */
export interface KeptPortraits {
  /** of the sample, in the data set */
  readonly places: Int32Array
  /** of the sample, as given */
  readonly labels: Int32Array
  /** by network and moment, `model/end` */
  readonly portraits: ReadonlyMap<string, Portrait>
}

/** Reads what `keepPortraits` wrote; a UserError where there is nothing, or damage. */
export function readPortraits(path: string): KeptPortraits {
  if (!existsSync(path)) {
    throw new UserError('usage', `Cannot draw embeddings: there is no '${path}'; give a finished run of this version`)
  }
  const { tensors } = unpack(readFileSync(path), path)
  const bytesOf = (name: string) => Uint8Array.from(tensors.get(name)?.bytes ?? []).buffer
  const portraits = [...tensors].filter(([name]) => name.includes('/'))
  return {
    places: new Int32Array(bytesOf('places')),
    labels: new Int32Array(bytesOf('labels')),
    portraits: new Map(
      portraits.map(([name, { shape }]) => [
        name,
        { width: shape[1] as number, values: new Float32Array(bytesOf(name)) },
      ]),
    ),
  }
}
