import type { DatasetEntry } from '../../datasets/dataset.ts'
import { datasets } from '../../datasets/index.ts'
import { UserError } from '../../errors.ts'
import { datasetAt } from '../prepare/data.ts'
import { targetOf } from '../prepare/target.ts'
import { type Config, flattenConfig, isIncidental, resolveConfig } from '../settings/config.ts'
import type { ForeignReading } from '../store/foreign-model.ts'
import { modelFile, runOf } from '../store/model-file.ts'
import {
  againstTrigger,
  findTrigger,
  openTrigger,
  type RecordedTrigger,
  recordedSettings,
} from '../store/recorded-trigger.ts'
import { describeModel, type ModelDescription } from '../store/saved-model.ts'

// What a model is measured on. The run that it comes from says where the data are, how they are read and what the trigger
// is; the user may say otherwise. A model file by itself says how images are read, and no more.

type Given = Readonly<Record<string, unknown>>

/** A model to measure. */
export interface Measured {
  readonly file: string
  /** the directory of the run that it comes from, where it lies in one */
  readonly run: string | undefined
  /** what that run poisoned its images by, where it recorded a trigger */
  readonly poisonedBy: RecordedTrigger | undefined
  /** the trigger that the user names, whatever the run's is */
  readonly against: RecordedTrigger | undefined
  /** what the user says of a model that was trained elsewhere */
  readonly reading: ForeignReading
}

/** Opens a model file, or a run's directory; `trigger` is a path as `openTrigger` takes it. */
export function openMeasured(path: string, trigger?: string, reading: ForeignReading = {}): Measured {
  const file = modelFile(path)
  const run = runOf(file)
  return {
    file,
    run,
    poisonedBy: run === undefined ? undefined : findTrigger(run),
    against: trigger === undefined ? undefined : openTrigger(trigger),
    reading,
  }
}

/** The settings to measure by: those given, then those of the trigger that is named, or of the run, then the model's. */
export function evaluationSettings({ file, run, against, reading }: Measured, given: Given): Record<string, unknown> {
  const settings = against
    ? againstTrigger(against, given)
    : run === undefined
      ? { 'test-share': 0, ...onData(given) } // the model may have been trained on any of the images
      : onRun(run, onData(given))
  return { ...takenAs(describeModel(file, reading), settings.dataset), ...settings }
}

/** Where data are given and no data set, the folder says which it is. */
function onData(given: Given): Given {
  const { data, dataset } = given
  return typeof data === 'string' && dataset === undefined ? { ...given, dataset: datasetAt(data) } : given
}

/** A run's settings, changed by those given; options of what was exchanged are left out. */
function onRun(run: string, given: Given): Record<string, unknown> {
  const own = recordedSettings(run)
  const other = (name: string) => given[name] !== undefined && given[name] !== own[name]
  if (other('test-share')) {
    const facts = `it was trained on all but a share of ${own['test-share']} of its images`
    throw new UserError('usage', `Cannot measure '${run}' with another test-share: ${facts}; leave test-share out`)
  }
  const exchanged = ['dataset', ...Object.keys(given).filter((name) => /^attack\b/.test(name))].filter(other)
  const shares = ['rate', 'class-rate']
  const dropped = [
    ...(other('dataset') ? ['data'] : []),
    ...(exchanged.includes('attack') || shares.some(other) ? shares : []),
  ]
  const kept = Object.entries(own).filter(
    ([name]) =>
      !dropped.includes(name) && !exchanged.some((each) => name.startsWith(`${each}.`) || name === `${each}-hash`),
  )
  return { ...Object.fromEntries(kept), ...given }
}

/** How a model takes its images, in the options of a data set that has such. */
export function takenAs(description: ModelDescription, dataset: unknown): Record<string, unknown> {
  const entry = (datasets as Readonly<Record<string, DatasetEntry>>)[String(dataset)]
  const wanted = Object.entries({ size: description.shape[1], ...readingOf(description) }).filter(
    ([name]) => name in (entry?.options.shape ?? {}),
  )
  return Object.fromEntries(wanted.map(([name, value]) => [`dataset.${name}`, value]))
}

/** How a model's images were made to fit, by the names of options of data sets. */
export function readingOf({ fit, ground = 'black' }: ModelDescription): Readonly<Record<string, unknown>> {
  return { fit, ground }
}

/** In what a configured trigger differs from the one that a run poisoned its images with: `attack.size is 3, not 6`. */
export function differences(
  { settings }: RecordedTrigger,
  { config, classes }: { config: Config; classes: readonly string[] },
): string[] {
  const settled = (given: Config) => flattenConfig({ ...given, target: targetOf(given, classes) })
  const [here, there] = [settled(config), settled(resolveConfig(settings))]
  const names = [...new Set([...Object.keys(here), ...Object.keys(there)])].filter((name) =>
    here.attack === there.attack ? /^(attack\..*|target|labelling|seed)$/.test(name) : name === 'attack',
  )
  return names
    .filter((name) => !isIncidental(name) && here[name] !== there[name])
    .map((name) => `${name} is ${here[name]}, not ${there[name]}`)
}
