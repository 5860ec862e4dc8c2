import { createHash } from 'node:crypto'
import type { AttackEntry, Crafted } from '../attacks/attack.ts'
import { attacks } from '../attacks/index.ts'
import { UserError } from '../errors.ts'
import { Random } from '../tensor/random.ts'
import type { ImageSet } from '../training/images.ts'
import type { Config } from './config.ts'

/** The configured attack made ready for these images, its trigger's identity, and the share of images it poisons. */
export async function craftAttack(
  config: Config,
  train: ImageSet,
): Promise<{ attack: Crafted; trigger: string; rate: number }> {
  if (config.target >= train.classes.length) {
    throw new UserError(
      'usage',
      `Cannot aim at class ${config.target}: there are ${train.classes.length} classes, counted from 0`,
    )
  }
  const entry = attacks[config.attack] as unknown as AttackEntry
  const view = { random: new Random(config.seed).fork('attack'), train, target: config.target }
  return {
    attack: await entry.craft(config.options.attack, view),
    trigger: identify(config),
    rate: entry.labels === 'none' ? 0 : config.rate,
  }
}

/** A trigger's identity: what determines it, and nothing else. */
function identify({ attack, options, seed, target }: Config): string {
  return createHash('sha256')
    .update(JSON.stringify([attack, options.attack, seed, target]))
    .digest('hex')
}
