import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import { attacks } from '../../attacks/index.ts'
import { datasets } from '../../datasets/index.ts'
import { defenses } from '../../defenses/index.ts'
import { UserError } from '../../errors.ts'
import { models } from '../../models/index.ts'
import { learningOf } from '../../models/model.ts'
import { schedules } from '../../nn/schedule.ts'
import { attackOptions, labelsOf, usualRate } from './attack-options.ts'
import { check, kebab, under } from './check.ts'
import { noSuch } from './did-you-mean.ts'
import { type NamingFiles, namesFile, withHashes } from './file-options.ts'

// A configuration is a flat record, the same in flags, in files and in a run's directory: settings of the run by their
// name, options of an entry under the kind of entry (`attack.opacity`). One schema checks all of them.

const names = <T extends object>(catalogue: T) => Object.keys(catalogue) as [keyof T & string, ...(keyof T & string)[]]

/** Settings of a run. Where a default depends on the data set, it is filled in by `resolveConfig`. */
export const settings = z.strictObject({
  dataset: z.enum(names(datasets)).default('signs').describe('what to train on'),
  data: z.string().optional().describe("where the data set's files are"),
  attack: z.enum(names(attacks)).default('none').describe('what is done to the training images'),
  rate: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe("poisoning rate: poisoned / all training images (default: the attack's, mostly 0.1)"),
  'class-rate': z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe('instead, for attacks that keep labels: poisoned / training images of the target class (default: 0.8)'),
  labelling: z
    .enum(['all-to-one', 'all-to-all', 'untargeted'])
    .default('all-to-one')
    .describe(
      'label of poisoned images of class y: the target class, (y + 1) mod K, or for each image another class at random',
    ),
  target: z
    .union([z.int().min(0), z.string().min(1)], { error: "expected a class's place, from 0, or its name" })
    .optional()
    .describe(
      "class that triggered images shall be taken for: its place among the classes, from 0, or its name, in quotes where that is a number: '\"2\"' (default: the data set's)",
    ),
  'test-share': z
    .number()
    .min(0)
    .max(0.5)
    .default(0.1)
    .describe('share of each class that is set apart to measure on, where the data have no test images'),
  'clean-share': z
    .number()
    .min(0)
    .max(0.5)
    .optional()
    .describe(
      'share of the training images that is trusted and set apart before poisoning, for defenses that need some (default: 0.05 for them, else 0)',
    ),
  clean: z
    .string()
    .optional()
    .describe('instead, for a folder of your own: where images that you trust are, in folders of the same classes'),
  without: z
    .string()
    .optional()
    .describe("for a folder of your own: a run's decisions.csv, whose images to drop or unsure are left out"),
  defense: z.enum(names(defenses)).default('none').describe('how the model is trained'),
  preset: z.string().optional().describe("a named set of the defense's options (default: its first)"),
  reference: z
    .boolean()
    .default(false)
    .describe('also train on the clean images, once for all runs, and say by how much the ASR exceeds that'),
  model: z.enum(names(models)).default('wrn').describe('architecture'),
  seed: z.int().min(0).default(1).describe('seed of everything random'),
  epochs: z.int().min(1).default(15).describe("length of the model's training"),
  batch: z.int().min(2).default(128).describe('images per step'),
  'learning-rate': z
    .number()
    .positive()
    .optional()
    .describe("base learning rate (default: the data set's, times the model's share of it)"),
  balance: z
    .enum(['none', 'sampling'])
    .default('none')
    .describe('sampling: each epoch shows every label equally often, rare ones again and again, frequent ones in part'),
  schedule: z.enum(names(schedules)).default('one-cycle').describe('how the learning rate changes'),
  momentum: z.number().min(0).max(1).default(0.9).describe('of stochastic gradient descent'),
  'weight-decay': z
    .number()
    .min(0)
    .optional()
    .describe("how much weights shrink in a step, times the learning rate (default: the model's, mostly 1e-4)"),
  nesterov: z.boolean().default(false).describe('Nesterov momentum'),
  crop: z
    .enum(['padded', 'resized'])
    .default('padded')
    .describe('padded moves an image by up to the padding, resized enlarges a random part of at least a quarter of it'),
  padding: z.int().min(0).default(4).describe('pixels of a padded crop at 32 pixels, in proportion for larger images'),
  flip: z.boolean().optional().describe("mirror half of the images (default: the data set's)"),
  cutout: z
    .int()
    .min(0)
    .default(3)
    .describe('side of the cutout in pixels at 32 pixels, in proportion for larger images; 0 for none'),
  color: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('brightness, contrast and saturation change by factors of 1 ± this'),
  holdout: z
    .number()
    .min(0)
    .max(0.5)
    .default(0.1)
    .describe('share of an untrusted folder kept out of training, to measure agreement with its labels'),
  device: z.string().default('auto').describe("'auto', 'cpu' or 'cuda:N'"),
  precision: z.enum(['auto', 'fp32', 'bf16']).default('auto').describe('of convolutions in training'),
  threads: z.int().min(0).default(0).describe('0: as many as there are cores'),
  'checkpoint-every': z.number().positive().default(30).describe('seconds between checkpoints'),
})

export type Settings = z.output<typeof settings>

const kinds = { dataset: datasets, attack: attacks, defense: defenses, model: models } as const
/** The kinds of entries that a configuration chooses. */
export type Kind = keyof typeof kinds
type Options = Readonly<Record<string, unknown>>
type Choosable = { readonly options: z.ZodObject } & NamingFiles

/** A configuration with every default filled in. */
export interface Config extends Settings {
  /** a class's place or name, settled once the classes are known: `targetOf` */
  readonly target: number | string
  readonly preset: string
  readonly 'clean-share': number
  readonly 'learning-rate': number
  readonly 'weight-decay': number
  readonly flip: boolean
  /** each entry's options, complete */
  readonly options: Readonly<Record<Kind, Options>>
}

/** Checks a flat record and fills in all defaults. `source` is named in errors: a file, or the command line. */
export function resolveConfig(given: Readonly<Record<string, unknown>>, source = 'the configuration'): Config {
  const own = Object.entries(given).filter(([key]) => !key.includes('.'))
  const plain = check(settings, Object.fromEntries(own), { source, prefix: '', others: chosenOptions(given) })
  const dataset = datasets[plain.dataset]
  const learning = learningOf(models[plain.model])
  const { presets } = defenses[plain.defense]
  const attack = { name: plain.attack, options: attackOptions(plain.attack, given, source) }
  const preset = plain.preset ?? (Object.keys(presets)[0] as string)
  if (!Object.hasOwn(presets, preset)) {
    throw new UserError(
      'usage',
      `Cannot use preset '${preset}' of defense '${plain.defense}': ${noSuch(preset, Object.keys(presets))}`,
    )
  }
  for (const key of Object.keys(given)) {
    const kind = key.split('.')[0] as string
    if (key.includes('.') && !Object.hasOwn(kinds, kind)) {
      throw new UserError('usage', `Cannot use '${key}' from ${source}: ${noSuch(kind, Object.keys(kinds))}`)
    }
  }
  const options = (kind: Kind) => {
    const base = kind === 'defense' ? (presets as Record<string, object>)[preset] : {}
    const entry = (kinds[kind] as Record<string, Choosable>)[plain[kind]] as Choosable
    const values = { ...base, ...under(`${kind}.`, given) }
    return withHashes(entry, check(entry.options.strict(), values, { source, prefix: `${kind}.` }), `${kind}.`)
  }
  return {
    ...plain,
    preset,
    ...settleShare(plain, attack),
    'clean-share': plain['clean-share'] ?? (defenses[plain.defense].assumes === 'clean images' ? 0.05 : 0),
    target: plain.target ?? dataset.target,
    'learning-rate': plain['learning-rate'] ?? dataset.learningRate * learning.rate,
    'weight-decay': plain['weight-decay'] ?? learning.weightDecay,
    flip: plain.flip ?? dataset.flip,
    options: {
      dataset: options('dataset'),
      attack: attack.options,
      defense: options('defense'),
      model: options('model'),
    },
  }
}

/** Names of the options of the entries that are chosen, as far as they exist. */
function chosenOptions(given: Readonly<Record<string, unknown>>): string[] {
  const standard = settings.parse({})
  return (Object.keys(kinds) as Kind[]).flatMap((kind) => {
    const name = String(given[kind] ?? standard[kind])
    const catalogue: Readonly<Record<string, { readonly options: z.ZodObject }>> = kinds[kind]
    const entry = Object.hasOwn(catalogue, name) ? catalogue[name] : undefined
    return entry ? Object.keys(entry.options.shape).map((option) => `${kind}.${kebab(option)}`) : []
  })
}

/** How much is poisoned: a share of all images, or of the target class for attacks that keep labels. */
function settleShare(
  plain: Settings,
  attack: { name: string; options: Options },
): Pick<Settings, 'rate' | 'class-rate'> {
  const { rate, 'class-rate': classRate } = plain
  const labels = labelsOf(attack.name, attack.options)
  if (plain.labelling !== 'all-to-one' && labels === 'clean') {
    const facts = `attack '${attack.name}': it leaves labels as they are`
    throw new UserError('usage', `Cannot label ${plain.labelling} with ${facts}`)
  }
  if (classRate === undefined) {
    if (labels === 'clean' && rate === undefined) return { rate: undefined, 'class-rate': 0.8 }
    return { rate: rate ?? usualRate(attack.name, attack.options) }
  }
  if (labels !== 'clean') {
    throw new UserError(
      'usage',
      `Cannot use 'class-rate' with attack '${attack.name}': it poisons all classes; give 'rate'`,
    )
  }
  if (rate !== undefined) throw new UserError('usage', "Cannot use 'rate' and 'class-rate' together: give one of them")
  return { rate: undefined, 'class-rate': classRate }
}

/** The flat record that resolves to this configuration. */
export function flattenConfig({ options, ...plain }: Config): Record<string, unknown> {
  const flat: Record<string, unknown> = Object.fromEntries(
    Object.entries(plain).filter(([, value]) => value !== undefined),
  )
  for (const [kind, values] of Object.entries(options)) {
    for (const [key, value] of Object.entries(values)) if (value !== undefined) flat[`${kind}.${kebab(key)}`] = value
  }
  return flat
}

/** Settings that say how a result is computed, not what it is a result of. */
export const isIncidental = (name: string) => incidental.includes(name) || namesFile(name)

const incidental = ['data', 'clean', 'without', 'device', 'precision', 'threads', 'checkpoint-every', 'holdout']

/** The first setting that makes two experiments different ones, and its two values. */
export function firstDifference(one: Config, other: Config): { name: string; values: [unknown, unknown] } | undefined {
  const [a, b] = [flattenConfig(one), flattenConfig(other)]
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])]
  const name = names.find((each) => !isIncidental(each) && a[each] !== b[each])
  return name === undefined ? undefined : { name, values: [a[name], b[name]] }
}

/** Reads a YAML (or JSON) configuration file's text. */
export function parseConfigFile(text: string, file: string): Record<string, unknown> {
  let value: unknown
  try {
    value = parseYaml(text)
  } catch (error) {
    throw new UserError('usage', `Cannot read '${file}' as YAML: ${(error as Error).message.split('\n')[0]}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UserError(
      'usage',
      `Cannot use '${file}' as a configuration: expected names and values, one per line, as in 'epochs: 15'`,
    )
  }
  return value as Record<string, unknown>
}
