import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { type Common, type Facts, kept } from './facts.ts'

/** larger pictures are made smaller in the report, so that one file holds them all */
const largest = 96

/** A picture as the report holds it. */
export interface Loaded {
  /** a data URL */
  readonly url: string
  readonly width: number
  readonly height: number
}

/** A kept picture by its file's name; null where the file is gone or damaged. */
export type LoadPicture = (file: string) => Loaded | null

/** Reads the pictures that the facts name. */
export async function pictureLoader(run: string, facts: Facts | null): Promise<LoadPicture> {
  const files = [...new Set(facts ? filesOf(facts) : [])]
  const loaded = await Promise.all(
    files.map(async (file) => [file, await load(join(run, kept.pictures, file))] as const),
  )
  const pictures = new Map(loaded)
  return (file) => pictures.get(file) ?? null
}

async function load(path: string): Promise<Loaded | null> {
  try {
    const small = sharp(readFileSync(path)).resize(largest, largest, { fit: 'inside', withoutEnlargement: true })
    const { data, info } = await small.png({ compressionLevel: 9 }).toBuffer({ resolveWithObject: true })
    return { url: `data:image/png;base64,${data.toString('base64')}`, width: info.width, height: info.height }
  } catch {
    return null // said where the picture would be
  }
}

/** Names of all pictures that a report shows. */
export function filesOf({ strongest, sample, above, below, alike, common, trigger }: Facts): string[] {
  const gallery = [
    ...strongest,
    ...sample,
    ...above,
    ...below,
    ...alike.flatMap(({ suspect, other }) => [suspect, other]),
  ]
  const triggers = trigger.flatMap(({ clean, triggered, residual }) => [clean, triggered, residual])
  return [...gallery.map(({ file }) => file), ...(common ? filesOfCommon(common) : []), ...triggers]
}

function filesOfCommon({ means, difference, differenceToAll, patches, occlusion }: Common): string[] {
  const found = patches ? [patches.marked, ...patches.all.map(({ file }) => file)] : []
  const all = [means.flagged, means.others, difference, differenceToAll, ...found, occlusion?.shown?.file]
  return all.filter((file) => typeof file === 'string')
}
