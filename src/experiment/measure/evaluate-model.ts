import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ImageSets } from '../../datasets/dataset.ts'
import { UserError } from '../../errors.ts'
import { arena } from '../../tensor/scope.ts'
import type { ImageSet } from '../../training/images.ts'
import { craftAttack } from '../prepare/craft.ts'
import { craftAgain } from '../prepare/craft-again.ts'
import { inTrainingOrder, loadDataset } from '../prepare/data.ts'
import { holdOut } from '../prepare/hold-out.ts'
import type { Listener } from '../prepare/listener.ts'
import { labelsOf } from '../settings/attack-options.ts'
import { type Config, resolveConfig } from '../settings/config.ts'
import { describeEnvironment, settleCompute, trainHashOf } from '../store/environment.ts'
import { recordedSettings } from '../store/recorded-trigger.ts'
import { loadModel, type ModelDescription } from '../store/saved-model.ts'
import { evaluate } from './evaluate.ts'
import { differences, type Measured, readingOf } from './evaluation-settings.ts'

/**
 * Measures a saved model on a data set's test images, and against a trigger: the one that is named, else the run's own where
 * the configuration still says so, else the configured attack's.
 */
export async function evaluateModel(measured: Measured, config: Config, listener: Listener) {
  const { file, run, poisonedBy, against, reading } = measured
  const compute = settleCompute(config)
  return arena(async () => {
    const { model, description } = loadModel(file, compute, reading)
    if (!against) refuseOtherReading(file, description, config)
    const { problems, shared, ...loaded } = await loadDataset(config, listener)
    const heldOut = loaded.test ? undefined : heldOutOf(measured, config, loaded.train)
    const { train: given, test } = heldOut ?? loaded
    if (!test) {
      const truth = truthBeside(config)
      const remedy = truth
        ? `measure against the trigger in '${truth}' (--trigger), on the images that were kept for it`
        : "put images that you trust in a folder 'test' beside 'train', or give other data"
      throw new UserError(
        'data',
        `Cannot measure on '${config.data ?? config.dataset}': it has no test images; ${remedy}`,
      )
    }
    const classOf = matchClasses(namedBy(test, description), test, `'${file}' on '${config.dataset}'`)
    const { train } = inTrainingOrder(given, config)
    const other = poisonedBy ? differences(poisonedBy, { config, classes: train.classes }) : []
    const recorded = against ?? (other.length === 0 ? poisonedBy : undefined)
    const { attack, target, trigger } = recorded
      ? await craftAgain(recorded, config, train, { compute, listener })
      : await craftAttack(config, train, { compute, listener })
    return {
      model: file,
      run: run ?? null,
      dataset: config.dataset,
      data: config.data ?? null,
      attack: config.attack,
      trigger,
      triggerFrom: recorded?.path ?? null,
      target,
      seed: config.seed,
      ...(await evaluate(model, test, { attack, device: compute.device, classOf })),
      skippedFiles: problems,
      /** what to know before relying on it, a sentence each */
      remarks: [
        ...remarksOn(config, measured, other),
        ...(shared ? seenBefore(config, measured) : []),
        ...(heldOut ? [untrusted] : []),
      ],
      environment: { ...describeEnvironment(compute), testHash: test.hash },
    }
  })
}

function refuseOtherReading(file: string, description: ModelDescription, { options }: Config): void {
  for (const [name, own] of Object.entries(readingOf(description))) {
    const value = options.dataset[name]
    if (value === undefined || value === own) continue
    const facts = `it was trained on images read with '${own}'`
    throw new UserError(
      'usage',
      `Cannot measure '${file}' on images read with ${name} '${value}': ${facts}; leave dataset.${name} out`,
    )
  }
}

function remarksOn(config: Config, { poisonedBy, against }: Measured, other: readonly string[]): string[] {
  const labels = labelsOf(config.attack, config.options.attack)
  if (labels === 'none')
    return ['No trigger was measured: name one by --trigger (a run, or the truth beside poisoned data) or by --attack']
  if (against || !poisonedBy || other.length === 0) return []
  return [`This is not the trigger that the run poisoned its images with: here ${other.join(', ')}`]
}

/**
 * Where a run trained on a person's own folder, without test images, the images that it held out are left to measure on;
 * undefined where it held out none, or other data are asked for.
 */
function heldOutOf({ run, poisonedBy }: Measured, { dataset, data }: Config, given: ImageSet): ImageSets | undefined {
  if (run === undefined || poisonedBy) return undefined
  const own = resolveConfig(recordedSettings(run))
  if (own.dataset !== dataset || own.data !== data || given.hash !== trainHashOf(run)) return undefined
  const { kept, apart } = holdOut(given, own)
  return apart ? { train: kept, test: apart } : undefined
}

const untrusted = 'These are the images that the run held out: their labels are as untrusted as those trained on'

/** Test images that are a share of a folder are new to a model only where its run set the same ones apart. */
function seenBefore(config: Config, { run }: Measured): string[] {
  if (run === undefined) return []
  const own = recordedSettings(run)
  const seen = own.data === config.data && own['test-share'] !== config['test-share']
  return seen ? ['The model was trained on these test images too: its accuracy on them says little'] : []
}

/** The truth about data that `poison` wrote, where it still lies beside them. */
function truthBeside({ data }: Config): string | undefined {
  return data !== undefined && existsSync(join(`${data}-truth`, 'truth.json')) ? `${data}-truth` : undefined
}

/** A model that does not know the names of its classes has the data's, in their order, where these are as many. */
function namedBy({ classes }: ImageSet, description: ModelDescription): ModelDescription {
  const nameless = description.nameless && classes.length === description.classes.length
  return nameless ? { ...description, classes } : description
}

/** By each of the model's classes, the data's of the same name: folders are sorted, other data sets are not. */
function matchClasses({ shape, classes }: ModelDescription, test: ImageSet, what: string): Int32Array {
  const classOf = Int32Array.from(classes, (name) => test.classes.indexOf(name))
  const unknown = classes[classOf.indexOf(-1)]
  if (test.shape.join() !== shape.join() || test.classes.length !== classes.length || unknown !== undefined) {
    const one = `${classes.length} classes of ${shape.join('×')}`
    const other = `${test.classes.length} of ${test.shape.join('×')}`
    const names = unknown === undefined ? '' : `, and none is called '${unknown}'`
    throw new UserError(
      'data',
      `Cannot measure ${what}: the model takes ${one}, the data has ${other}${names}; give the data that it was trained on`,
    )
  }
  return classOf
}
