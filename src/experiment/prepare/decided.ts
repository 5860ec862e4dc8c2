import { existsSync } from 'node:fs'
import { UserError } from '../../errors.ts'
import { type ImageSet, subset } from '../../training/images.ts'
import type { Config } from '../settings/config.ts'
import { readDecisions } from '../store/decisions.ts'
import type { Listener } from './listener.ts'

/** The images that a list of decisions (`--without`) leaves: all but those to drop and those that are unsure. */
export function withoutDropped(
  images: ImageSet,
  { without }: Pick<Config, 'without'>,
  { say }: Pick<Listener, 'say'>,
): ImageSet {
  if (without === undefined) return images
  const refuse = (facts: string): never => {
    throw new UserError('data', `Cannot train without what '${without}' drops: ${facts}`)
  }
  if (!existsSync(without)) refuse("there is no such file; give a run's decisions.csv")
  const decided = readDecisions(without)
  const left = new Set(Array.from(decided).flatMap(([name, { decision }]) => (decision === 'keep' ? [] : [name])))
  const kept = Int32Array.from(images.labels.keys()).filter((i) => !left.has(images.names[i] as string))
  const gone = images.labels.length - kept.length
  if (left.size > 0 && gone === 0)
    refuse(`none of its ${left.size} images is among these; give the decisions of a run on the same data`)
  const others = left.size - gone
  say(
    `${gone} images are left out by '${without}'${others > 0 ? `; ${others} more that it names are not among these` : ''}`,
  )
  return subset(images, kept)
}
