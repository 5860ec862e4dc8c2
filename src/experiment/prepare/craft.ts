import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { AttackEntry, AttackerView, Crafted, Learned } from '../../attacks/attack.ts'
import { type AttackName, attacks } from '../../attacks/index.ts'
import { formOf } from '../../models/model.ts'
import type { Compute } from '../../tensor/device.ts'
import { Random } from '../../tensor/random.ts'
import type { Checkpoints } from '../../training/checkpoint.ts'
import type { ImageSet } from '../../training/images.ts'
import { labelsOf, partOptions } from '../settings/attack-options.ts'
import type { Config } from '../settings/config.ts'
import { withoutFiles } from '../settings/file-options.ts'
import { learnOnce, readLearned, writeLearned } from '../store/cache.ts'
import { codeOf, fileOf } from './code.ts'
import type { Listener } from './listener.ts'
import { pictureOf } from './picture.ts'
import { choosePoison, type PoisonDraw, poison, type Truth } from './poison.ts'
import { describeTarget, targetOf } from './target.ts'
import { openTrainingContext, whatTrainingDependsOn } from './training-context.ts'

/** An attack made ready, and how much it poisons. */
export interface CraftedAttack {
  readonly attack: Crafted
  /** the place of the class that it aims at */
  readonly target: number
  /** the trigger's identity: SHA-256 of options, seed, labels, the images' form and what was learned */
  readonly trigger: string
  /** what the attacks that learn say of their own success, by part */
  readonly report: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** poisons the images it was made ready for */
  poison(): { set: ImageSet; truth: Truth }
}

/** What making an attack ready needs besides its images. */
export interface CraftOptions {
  readonly compute: Compute
  readonly listener: Listener
  /** where a run keeps what its attack has learned; read where it is there, else written */
  file?(name: string): string
  /** false: an attack that would have to learn something is not made ready, as in a dry run */
  readonly mayLearn?: boolean
}

/** Told instead of a crafted attack where learning was not allowed. */
export class NotLearned extends Error {}

/** Makes the configured attack ready for these images. */
export async function craftAttack(
  config: Config,
  train: ImageSet,
  { compute, listener, file, mayLearn = true }: CraftOptions,
): Promise<CraftedAttack> {
  const classes = train.classes.length
  const target = targetOf(config, train.classes)
  const kind = labelsOf(config.attack, config.options.attack)
  const labelBy: Readonly<Record<Config['labelling'], Crafted['label']>> = {
    'all-to-one': () => target,
    'all-to-all': (y) => (y + 1) % classes,
    untargeted: () => null,
  }
  if (kind !== 'none' && config.labelling === 'all-to-one') listener.say(describeTarget(config, train.classes))
  const random = new Random(config.seed)
  // An attacker trains by the recipe from fresh weights, and balances nothing: how the defender begins must not change the trigger.
  const options = { ...config.options, model: formOf(config.options.model) }
  const attackers: Config = { ...config, options, balance: 'none' }
  const hashes: string[] = []
  const report: Record<string, Readonly<Record<string, number>>> = {}
  const draw = (eligible?: (y: number) => boolean): PoisonDraw => ({
    rate: rateOf(config, train.labels, eligible),
    classRate: config['class-rate'],
    random: random.fork('poison'),
  })

  /** `path` tells the parts of an attack apart: '' for the whole, 'base' or 'base.first' for parts */
  async function craft(name: AttackName, options: Readonly<Record<string, unknown>>, path: string): Promise<Crafted> {
    const entry = attacks[name] as unknown as AttackEntry
    const own = random.fork(path === '' ? 'attack' : `attack ${path}`)
    const view: AttackerView = {
      random: own,
      train,
      target,
      compute,
      label: labelBy[config.labelling],
      poisoned: (eligible) => choosePoison(train.labels, { eligible }, draw(eligible)).poisoned,
      poison: (attack) => poison(train, attack, draw(attack.eligible)).set,
      part: (option) =>
        craft(options[option] as AttackName, partOptions(options, option), path === '' ? option : `${path}.${option}`),
      picture: (option, width) =>
        pictureOf(options, {
          option,
          width,
          kept: file && ((name) => file(path === '' ? `trigger.${name}` : `trigger.${path}.${name}`)),
        }),
      async learned(from, learn) {
        const { learned, hash } = await stored()
        hashes.push(hash)
        report[path === '' ? name : path] = learned.report
        listener.say(`${name} says of itself: ${describeReport(learned.report)}`)
        return learned

        async function stored() {
          const kept = file?.(path === '' ? 'trigger.safetensors' : `trigger.${path}.safetensors`)
          if (kept && existsSync(kept)) return readLearned(kept)
          if (!mayLearn) throw new NotLearned()
          const key = [
            name,
            withoutFiles('attack', options),
            target,
            config.labelling,
            path,
            train.hash,
            from,
            whatTrainingDependsOn(attackers, compute),
            codeOf(fileOf('attacks', name)),
            codeOf(import.meta.url), // which draws the streams, and poisons
          ]
          const result = await learnOnce(key, { say: listener.say, learn: inTrainingContexts })
          if (kept) writeLearned(kept, result.learned)
          return result
        }

        async function inTrainingContexts(checkpoints: Checkpoints): Promise<Learned> {
          const open: { close(): void }[] = []
          const result = await learn((images) => {
            const training = openTrainingContext(attackers, images, {
              compute,
              random: own.fork('workshop'),
              checkpoints,
              reporter: listener,
            })
            open.push(training)
            return training
          })
          for (const training of open) training.close()
          return result
        }
      },
    }
    return entry.craft(entry.options.parse(options), view)
  }

  const attack = await craft(config.attack, config.options.attack, '')
  // A mistake in the share is told now, not after hours of training.
  const { eligible, cover } = attack
  choosePoison(train.labels, { eligible, ratio: cover?.ratio ?? 0 }, draw(eligible))
  const { seed, labelling } = config
  const identity = [
    config.attack,
    withoutFiles('attack', options.attack),
    seed,
    target,
    labelling,
    train.shape,
    ...hashes,
  ]
  return {
    attack,
    target,
    report,
    trigger: createHash('sha256').update(JSON.stringify(identity)).digest('hex'),
    poison: () => poison(train, attack, draw(attack.eligible)),
  }
}

/** Poisoned / all images, from whichever share was configured. */
function rateOf(config: Config, given: Int32Array, eligible: (y: number) => boolean = () => true): number {
  const labels = labelsOf(config.attack, config.options.attack)
  if (labels === 'none') return 0
  if (config.rate !== undefined) return config.rate
  return ((config['class-rate'] ?? 0) * given.filter(eligible).length) / given.length
}

const describeReport = (report: Learned['report']) =>
  Object.entries(report)
    .map(([name, value]) => `${name} ${Number.isInteger(value) ? value : value.toPrecision(3)}`)
    .join(', ')
