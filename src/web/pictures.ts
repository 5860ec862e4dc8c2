import sharp from 'sharp'
import { UserError } from '../errors.ts'
import { craftAgain } from '../experiment/prepare/craft-again.ts'
import { inTrainingOrder, loadDataset } from '../experiment/prepare/data.ts'
import { silent } from '../experiment/prepare/listener.ts'
import { resolveConfig } from '../experiment/settings/config.ts'
import { settleCompute } from '../experiment/store/environment.ts'
import { openTrigger, recordedSettings } from '../experiment/store/recorded-trigger.ts'
import { arena } from '../tensor/scope.ts'
import { type ImageSet, interleaved, pixelsOf } from '../training/images.ts'
import type { ImageFacts } from './answers.ts'
import { portraitsOf } from './embeddings.ts'
import { hasFile, type IndexedRun } from './run-index.ts'
import { suspectsOf } from './suspects.ts'

/** Pictures of a run's training images, as the network saw them. */
export interface Pictures {
  /** of the image at a rank of suspects.csv, as PNG */
  ofRank(rank: number): Promise<Uint8Array<ArrayBuffer>>
  /** of the image at a place of the sample that was portrayed */
  ofPoint(point: number): Promise<Uint8Array<ArrayBuffer>>
  factsOfPoint(point: number): ImageFacts
}

/** side of a picture in pixels: smaller images are enlarged by a whole factor */
const side = 192

/** Reads a run's images again, and poisons them again where it is an experiment; a UserError where they are not there any more. */
export async function runPictures(run: IndexedRun): Promise<Pictures> {
  const { images, order } = await trainingImages(run)
  const byName = new Map(images.names.map((name, i) => [keyOf(name, labelOf(images, i)), i]))
  const byPlace = order && new Map(Array.from(order, (place, i) => [place, i]))
  const sample = hasFile(run.path, 'portraits.safetensors') ? portraitsOf(run).places : null

  function indexOfPoint(point: number): number {
    const place = sample?.[point]
    const found = place === undefined ? undefined : byPlace ? byPlace.get(place) : place
    if (found === undefined || found >= images.labels.length) throw gone()
    return found
  }

  return {
    async ofRank(rank) {
      const image = suspectsOf(run)[rank - 1]
      const found = image && byName.get(keyOf(image.file, image.label))
      if (found === undefined) throw gone()
      return png(images, found)
    },
    ofPoint: async (point) => png(images, indexOfPoint(point)),
    factsOfPoint(point) {
      const i = indexOfPoint(point)
      return { name: images.names[i] as string, label: labelOf(images, i) }
    },
  }
}

const gone = () => new UserError('data', 'This picture is not among the data of the run (any more)')
const keyOf = (name: string, label: string) => JSON.stringify([name, label])
const labelOf = ({ classes, labels }: ImageSet, i: number) => classes[labels[i] as number] as string

/** What a run trained on; `order` gives the places in the data set where they are others. */
async function trainingImages({ path, listed }: IndexedRun): Promise<{ images: ImageSet; order: Int32Array | null }> {
  const config = resolveConfig({ ...recordedSettings(path), device: 'cpu' })
  const { train: given } = await loadDataset(config, silent)
  if (listed.kind !== 'experiment') return { images: given, order: null }
  const recorded = openTrigger(path)
  const { train, order } = inTrainingOrder(given, config)
  const compute = settleCompute({ ...config, precision: 'fp32' })
  const images = await arena(async () => {
    const crafted = await craftAgain(recorded, config, train, { compute, listener: silent })
    return crafted.poison().set
  })
  return { images, order }
}

async function png(images: ImageSet, index: number): Promise<Uint8Array<ArrayBuffer>> {
  const [channels, height, width] = images.shape
  const pixels = interleaved(pixelsOf(images, [index]), images.shape)
  const zoom = Math.max(1, Math.floor(side / Math.max(height, width)))
  const picture = sharp(pixels, { raw: { width, height, channels: channels as 1 | 3 } })
  const enlarged = picture.resize(width * zoom, height * zoom, { kernel: 'nearest' })
  return Uint8Array.from(await enlarged.png().toBuffer())
}
