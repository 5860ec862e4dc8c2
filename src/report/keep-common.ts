import { argsort } from '../training/argsort.ts'
import type { ImageSet, ImageShape } from '../training/images.ts'
import type { Suspicion } from '../training/suspicion.ts'
import type { AskedModel } from './asked-model.ts'
import { carriers } from './carriers.ts'
import { type Compared, meanDifference, toCompare } from './common.ts'
import type { Common, Occlusion } from './facts.ts'
import { occlusion } from './occlusion.ts'
import { heatMap, outlined } from './overlays.ts'
import { sharedPatches } from './patches.ts'
import { placeOfPixel } from './place.ts'

/** so many of the strongest suspects are covered at most */
const covered = 8

/** Writes a row of bytes as a picture of this name, and returns the name. The shape is the images' unless given. */
export type WritePicture = (name: string, row: Uint8Array, shape?: ImageShape) => Promise<string>

interface Keeping {
  /** absent where none was trained */
  readonly model: AskedModel | undefined
  readonly write: WritePicture
}

/** What the flagged images have in common, with its pictures; null where too few images can be compared. */
export async function keepCommon(
  images: ImageSet,
  { score, threshold }: Suspicion,
  { model, write }: Keeping,
): Promise<Common | null> {
  const isFlagged = (i: number) => (score[i] as number) > threshold
  const compared = toCompare(images, isFlagged)
  if (!compared) return null
  const { means, difference, differenceToAll, factor, place } = meanDifference(images, compared)
  const strongest = argsort(score, { descending: true })
    .filter((i) => images.labels[i] === compared.label && isFlagged(i))
    .slice(0, covered)
  return {
    label: compared.label,
    flagged: compared.flagged.length,
    others: compared.others.length,
    means: {
      flagged: await write('mean-flagged.png', means.flagged),
      others: await write('mean-others.png', means.others),
    },
    difference: await write('difference.png', difference),
    differenceToAll: await write('difference-to-all.png', differenceToAll),
    factor,
    place,
    patches: await keepPatches(images, compared, { mean: means.flagged, isFlagged, write }),
    occlusion: model ? await keepOcclusion(images, strongest, { means, model, write }) : null,
  }
}

async function keepPatches(
  images: ImageSet,
  compared: Compared,
  { mean, isFlagged, write }: { mean: Uint8Array; isFlagged: (image: number) => boolean; write: WritePicture },
): Promise<Common['patches']> {
  const [channels, height, width] = images.shape
  const found = sharedPatches(images, compared)
  const all = found.map(async (patch, k) => {
    const { picture, ...place } = patch
    const file = await write(`patch-${k}.png`, picture, [channels, place.height, place.width])
    return { file, ...place, ...carriers(images, patch, { others: compared.others, isFlagged }) }
  })
  const marked =
    found.length > 0 && (await write('patches.png', outlined(found, mean, images.shape), [3, height, width]))
  return { all: await Promise.all(all), marked: marked || null }
}

async function keepOcclusion(
  images: ImageSet,
  shown: Int32Array,
  { means, model, write }: { means: { flagged: Uint8Array; all: Uint8Array }; model: AskedModel; write: WritePicture },
): Promise<Occlusion> {
  const [, height, width] = images.shape
  const { drop, ...facts } = await occlusion(images, { shown, ground: means.all, model })
  if (!drop) return { ...facts, shown: null }
  const largest = drop.reduce((a, b) => Math.max(a, b))
  const pixel = drop.indexOf(largest)
  const picture = heatMap(drop, means.flagged, images.shape)
  return {
    ...facts,
    shown: {
      file: await write('occlusion.png', picture, [3, height, width]),
      largest,
      place: placeOfPixel(Math.floor(pixel / width), pixel % width, { height, width }),
    },
  }
}
