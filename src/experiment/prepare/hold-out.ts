import { UserError } from '../../errors.ts'
import { Random } from '../../tensor/random.ts'
import type { ImageSet } from '../../training/images.ts'
import type { Config } from '../settings/config.ts'
import { setApart } from './set-apart.ts'

/** A seeded share of each class held out of training, leaving every class at least two images to train on. */
export function holdOut(
  given: ImageSet,
  { holdout, seed }: Pick<Config, 'holdout' | 'seed'>,
): { kept: ImageSet; apart: ImageSet | null } {
  if (given.labels.length < 4) {
    throw new UserError('data', `Cannot train on ${given.labels.length} images: that is too few to learn anything from`)
  }
  const count = (size: number) => Math.min(Math.floor(holdout * size), size - 2)
  return setApart(given, { random: new Random(seed).fork('holdout'), count })
}
