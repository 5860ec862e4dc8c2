import { appendFileSync, existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import type { Setting, Tuning } from '../defenses/defense.ts'
import { defenses } from '../defenses/index.ts'
import { UserError } from '../errors.ts'
import { readJsonLines } from '../files.ts'
import { Random } from '../tensor/random.ts'
import { arena } from '../tensor/scope.ts'
import { checkpointFolder } from '../training/checkpoint.ts'
import { type ImageSet, subset } from '../training/images.ts'
import { loader } from '../training/loader.ts'
import { accuracyOn } from '../training/predict.ts'
import { mean } from './measure/statistics.ts'
import { craftAttack } from './prepare/craft.ts'
import { inTrainingOrder, loadDataset } from './prepare/data.ts'
import { openView } from './prepare/defend.ts'
import type { Listener } from './prepare/listener.ts'
import { check, kebab } from './settings/check.ts'
import { type Config, flattenConfig } from './settings/config.ts'
import { rememberEnvironment, settleRun } from './store/environment.ts'
import { experimentName } from './store/records.ts'
import { claimRun, type RunFolder } from './store/run-folder.ts'
import { combinations } from './store/sweep-file.ts'

// A defense's settings compared by cross-validation on the training images, as CBD's paper selects them: each fold is
// held out once, and a model is trained on the others with every setting. No clean images are used, and no test images.

/** What can be set of a search, besides the configuration that is searched around. */
export const searchSettings = z.strictObject({
  subset: z.int().min(4).default(10_000).describe('training images that are used, drawn at random'),
  folds: z.int().min(2).default(5).describe('parts of these images, each of which is held out once'),
})
export type Search = z.output<typeof searchSettings>

/** The criteria that settings are compared by. */
export const criteria = ['accuracy', 'separation'] as const
export type Criterion = (typeof criteria)[number]

/** What one setting scored. */
export interface Scored {
  readonly setting: Setting
  /**
   * The paper's criterion: mean accuracy on the held-out folds, by the labels as given. Poisoned images carry the attacker's
   * label there too, so that this criterion rewards a model that obeys.
   */
  readonly accuracy: number
  /** The criterion that trusts no label: how far the poison stands apart, mean over folds, in [0, 1]. */
  readonly separation: number
  /** both, fold by fold */
  readonly folds: readonly { readonly accuracy: number; readonly separation: number }[]
}

export interface TuneResult {
  readonly run: string
  readonly dataset: string
  readonly attack: string
  readonly defense: string
  readonly preset: string
  readonly epochs: number
  readonly seed: number
  readonly images: number
  readonly settings: readonly Scored[]
  /** the best setting by each criterion; of equal ones (separation knows nothing of the model's settings) the better by the other */
  readonly best: Readonly<Record<Criterion, Setting>>
}

/** One model of the search. */
interface Trial {
  readonly fold: number
  readonly setting: Setting
  readonly accuracy: number
  readonly separation: number
}

/** Searches, or goes on with the same search where it was broken off. */
export async function tune(
  config: Config,
  given: Readonly<Record<string, unknown>>,
  { runs, listener }: { runs: string; listener: Listener },
): Promise<TuneResult> {
  const search = check(searchSettings, given, { source: 'the command line', prefix: '' })
  tuningOf(config) // a defense that cannot be searched is told before anything is written
  const path = join(resolve(runs), `tune-${experimentName(config)}-${search.subset}images-${search.folds}folds`)
  const folder = claimRun(path, config, 'tuning')
  try {
    return (folder.readJson('result.json') as TuneResult | undefined) ?? (await searched(folder, search, listener))
  } finally {
    folder.close()
  }
}

async function searched(folder: RunFolder, { subset: wanted, folds }: Search, listener: Listener): Promise<TuneResult> {
  const { config } = folder
  const tuning = tuningOf(config)
  const settings = combinations(Object.entries(tuning.grid)) as Setting[]
  const compute = settleRun(folder)
  const file = folder.file('tried.jsonl')
  const tried = existsSync(file) ? (readJsonLines(file) as Trial[]) : []
  let images = 0
  const trialOf = (fold: number, setting: Setting) =>
    tried.find((each) => each.fold === fold && sameSetting(each.setting, setting))

  await arena(async () => {
    const { train: all, test } = await loadDataset(config, listener)
    rememberEnvironment(folder, all, test, compute, listener.say)
    const { train } = inTrainingOrder(all, config)
    const crafted = await craftAttack(config, train, { compute, listener, file: folder.file })
    const { set } = crafted.poison()
    const places = Int32Array.from({ length: Math.min(wanted, set.labels.length) }, (_, i) => i) // their order is random
    images = places.length
    if (folds > images) {
      throw new UserError(
        'usage',
        `Cannot cut ${images} images into ${folds} folds: give fewer --folds, or more images`,
      )
    }
    for (let fold = 0; fold < folds; fold++) {
      const part = (held: boolean) =>
        subset(
          set,
          places.filter((i) => (i % folds === fold) === held),
        )
      if (settings.every((setting) => trialOf(fold, setting))) continue
      await searchFold(part(false), part(true), fold)
    }
  })

  async function searchFold(kept: ImageSet, held: ImageSet, fold: number): Promise<void> {
    await arena(async () => {
      const { view, close } = openView(config, kept, {
        compute,
        random: new Random(config.seed).fork('defense'),
        checkpoints: checkpointFolder(folder.file(`checkpoints-${fold + 1}`), listener.say),
        reporter: {
          ...listener,
          progress: (progress) =>
            listener.progress({ ...progress, stage: `fold ${fold + 1}/${folds} ${progress.stage}` }),
          epoch: () => {},
        },
      })
      const images = loader(held, compute.device)
      await tuning.train(config.options.defense, view, {
        settings,
        wanted: (setting) => !trialOf(fold, setting),
        async tried({ setting, classifier, separation }) {
          const trial: Trial = { fold, setting, accuracy: await accuracyOn(classifier, images), separation }
          appendFileSync(file, `${JSON.stringify(trial)}\n`)
          tried.push(trial)
        },
      })
      images.free()
      close()
    })
  }

  const scored = settings.map((setting): Scored => {
    const trials = Array.from({ length: folds }, (_, fold) => trialOf(fold, setting) as Trial)
    const over = (criterion: Criterion) => mean(trials.map((trial) => trial[criterion])) as number
    const each = trials.map(({ accuracy, separation }) => ({ accuracy, separation }))
    return { setting, accuracy: over('accuracy'), separation: over('separation'), folds: each }
  })
  const { dataset, attack, defense, preset, epochs, seed } = config
  const best = { accuracy: bestBy(scored, 'accuracy'), separation: bestBy(scored, 'separation') }
  const result = {
    run: folder.path,
    dataset,
    attack,
    defense,
    preset,
    epochs,
    seed,
    images,
    settings: scored,
    best,
  }
  folder.writeJson('result.json', result)
  return result
}

/** A flat configuration that runs with this setting. */
export function withSetting(config: Config, setting: Setting): Record<string, unknown> {
  const chosen = Object.entries(setting).map(([name, value]) => [`defense.${kebab(name)}`, value])
  return { ...flattenConfig(config), ...Object.fromEntries(chosen) }
}

function tuningOf({ defense }: Config): Tuning<unknown> {
  const { tuning } = defenses[defense] as { tuning?: Tuning<unknown> }
  if (tuning) return tuning
  const able = Object.entries(defenses).flatMap(([name, entry]) => ('tuning' in entry ? [name] : []))
  const remedy = `give --defense ${able.join(' or ')}`
  throw new UserError('usage', `Cannot search settings of defense '${defense}': it declares none; ${remedy}`)
}

/** Whether two settings are the same. */
export const sameSetting = (one: Setting, other: Setting) =>
  Object.entries(one).every(([name, value]) => other[name] === value)

function bestBy(scored: readonly Scored[], criterion: Criterion): Setting {
  const [other] = criteria.filter((each) => each !== criterion) as [Criterion]
  const order = [...scored].sort((a, b) => b[criterion] - a[criterion] || b[other] - a[other])
  return (order[0] as Scored).setting
}
