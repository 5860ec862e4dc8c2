import type { Problem } from '../datasets/dataset.ts'
import { UserError } from '../errors.ts'
import { beginningOf, describeBeginning } from '../experiment/prepare/beginning.ts'
import { craftAttack, NotLearned } from '../experiment/prepare/craft.ts'
import { inTrainingOrder, loadDataset } from '../experiment/prepare/data.ts'
import { refuseWithoutClean } from '../experiment/prepare/defend.ts'
import { describeClasses } from '../experiment/prepare/describe-data.ts'
import type { Listener } from '../experiment/prepare/listener.ts'
import type { Config } from '../experiment/settings/config.ts'
import { settleCompute } from '../experiment/store/environment.ts'
import { type RunKind, requireRuns } from '../experiment/store/run-folder.ts'
import { buildModel } from '../experiment/store/saved-model.ts'
import { loadUntrusted } from '../experiment/train.ts'
import { formOf } from '../models/model.ts'
import { parameterCount } from '../nn/module.ts'
import type { Compute } from '../tensor/device.ts'
import { Random } from '../tensor/random.ts'
import { arena } from '../tensor/scope.ts'
import type { ImageSet } from '../training/images.ts'
import { withListener } from './session.ts'
import { print, printJson } from './terminal.ts'

/**
 * Reads the data, settles the machine, makes attack and model ready, refuses what a run would refuse, says what a run
 * would do, and trains nothing.
 */
export async function dryRun(
  config: Config,
  kind: RunKind,
  { json, runs }: { json?: boolean; runs: string },
): Promise<void> {
  requireRuns(runs)
  const compute = settleCompute(config)
  await arena(async () => {
    const { images, counts, skippedFiles } = await withListener((listener) =>
      kind === 'experiment' ? lookAtExperiment(config, compute, listener) : lookAtTraining(config, listener),
    )
    const { classes, shape, labels } = images
    const { model: name, options } = config
    const beginning = beginningOf(config, images, compute)
    const description = {
      model: name,
      options: formOf(options.model),
      classes,
      shape,
      normalization: null,
      fit: 'cover' as const,
    }
    const model = buildModel(description, { random: new Random(0), compute })
    const plan = {
      ...counts,
      attack: config.attack,
      defense: config.defense,
      preset: config.preset,
      model: config.model,
      parameters: parameterCount(model),
      epochs: config.epochs,
      ...compute,
    }
    const ofClass = classes.map((name, k) => [name, labels.filter((label) => label === k).length])
    const data = { classes: Object.fromEntries(ofClass), shape, skippedFiles }
    const shown = {
      classes: describeClasses(images),
      shape: shape.join('×'),
      skippedFiles: skippedFiles.length,
      ...plan,
    }
    const lines = [
      ...Object.entries(shown).map(([name, value]) => `${name}: ${value}`),
      ...describeBeginning(beginning, options.model.weights),
    ]
    if (json) printJson({ ...data, ...plan, beginning: beginning.report })
    else print(`${lines.join('\n')}\nNothing was trained: this was a dry run`)
  })
}

/** What a run would work on. */
interface Material {
  readonly images: ImageSet
  readonly counts: Readonly<Record<string, number | null>>
  readonly skippedFiles: readonly Problem[]
}

async function lookAtTraining(config: Config, listener: Listener): Promise<Material> {
  const { given, kept, heldOut, clean, problems } = await loadUntrusted(config, listener)
  return {
    images: given,
    counts: {
      trainingImages: kept.labels.length,
      heldOutImages: heldOut?.labels.length ?? 0,
      trustedImages: clean?.labels.length ?? 0,
    },
    skippedFiles: problems,
  }
}

async function lookAtExperiment(config: Config, compute: Compute, listener: Listener): Promise<Material> {
  const { train: given, test, problems } = await loadDataset(config, listener)
  if (!test) throw new UserError('data', `Cannot measure on '${config.dataset}': it has no test images`)
  const { train, clean } = inTrainingOrder(given, config)
  refuseWithoutClean(config, clean)
  const poisonedImages = await craftAttack(config, train, { compute, listener, mayLearn: false }).then(
    (crafted) => crafted.poison().truth.poisoned.length,
    (error) => {
      if (error instanceof NotLearned) return null // how many is known once the attack has learned
      throw error
    },
  )
  return {
    images: given,
    counts: {
      trainingImages: train.labels.length,
      trustedImages: clean?.labels.length ?? 0,
      poisonedImages,
      testImages: test.labels.length,
    },
    skippedFiles: problems,
  }
}
