import { UserError } from '../../errors.ts'
import { Random } from '../../tensor/random.ts'
import { type ImageSet, type ImageShape, imageBytes, pixelsOf } from '../../training/images.ts'
import { evaluationSettings, type Measured } from '../measure/evaluation-settings.ts'
import { loadDataset } from '../prepare/data.ts'
import type { Listener } from '../prepare/listener.ts'
import { resolveConfig } from '../settings/config.ts'

/** Images on which two engines are compared. */
export interface ComparedImages {
  /** float32 in [0, 1], [indices, channels, height, width], of images by their number below `count` */
  pixels(indices: readonly number[]): Float32Array
  readonly count: number
  /** how many are the model's own, and not drawn at random */
  readonly own: number
}

/** Images for a model: its run's test images, those trained on where there are none, and then as many drawn at random as are missing. */
export async function comparedImages(
  measured: Measured,
  { count, shape, listener }: { count: number; shape: ImageShape; listener: Listener },
): Promise<ComparedImages> {
  const random = new Random(0).fork('compared images')
  const set = await ownImages(measured, listener)
  const fits = set && set.shape.join() === shape.join() ? set : undefined
  const order = fits ? random.permutation(fits.labels.length).subarray(0, count) : new Int32Array()
  const own = order.length
  const noise = random.fork('noise')
  const drawn = Uint8Array.from({ length: (count - own) * imageBytes(shape) }, () => 256 * noise.uniform())
  return {
    count,
    own,
    pixels(indices) {
      const bytes = indices.map((i) => {
        if (fits && i < own) return pixelsOf(fits, [order[i] as number])
        return drawn.subarray((i - own) * imageBytes(shape), (i - own + 1) * imageBytes(shape))
      })
      return Float32Array.from(Buffer.concat(bytes), (value) => value / 255)
    },
  }
}

/** Of the model's run; undefined where it comes from none, or its data are not there any more. */
async function ownImages(measured: Measured, listener: Listener): Promise<ImageSet | undefined> {
  if (measured.run === undefined) return undefined
  try {
    const { train, test } = await loadDataset(resolveConfig(evaluationSettings(measured, {})), listener)
    return test ?? train
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    listener.say(`${error.message}; the export is compared on images drawn at random`)
    return undefined
  }
}
