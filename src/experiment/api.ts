import { auditSettings, runAudit } from './audit.ts'
import { type ExportOptions, exportFormats, exportModel as writeExport } from './export-model.ts'
import { classifyFiles } from './measure/classify.ts'
import { detectPoison, type GivenDetection, resolveDetection } from './measure/detect.ts'
import { evaluateModel } from './measure/evaluate-model.ts'
import { evaluationSettings, openMeasured } from './measure/evaluation-settings.ts'
import { type Format, poisonData as writePoisoned } from './poison-data.ts'
import { onData } from './prepare/data.ts'
import { type Listener, silent } from './prepare/listener.ts'
import { previewTrigger } from './preview-trigger.ts'
import { repairSettings, runRepair } from './repair.ts'
import { resumeRun } from './resume.ts'
import { runExperiment } from './run.ts'
import { resolveConfig } from './settings/config.ts'
import type { GivenRepair, GivenSettings, GivenTraining } from './settings/given.ts'
import { settleCompute } from './store/environment.ts'
import type { ForeignReading } from './store/foreign-model.ts'
import { modelFile } from './store/model-file.ts'
import { createRun, openRun, type RunFolder } from './store/run-folder.ts'
import type { AuditResult, TrainingResult } from './store/schema.ts'
import { runTraining, trainingSettings } from './train.ts'

// What the command line does, for programs. Settings are those of a configuration file.

export interface Options {
  /** where runs' directories are made; default `runs` */
  readonly runs?: string
  readonly listener?: Partial<Listener>
}

/** An experiment with known truth: `run({ dataset: 'signs', attack: 'badnets', defense: 'cbd' })`. */
export async function run(settings: GivenSettings, options: Options = {}) {
  return inFolder(createRun(options.runs ?? 'runs', 'experiment', resolveConfig(settings)), runExperiment, options)
}

/** Trains on a person's own images, trusting none of them: `train('photos/', { epochs: 30 })`. */
export async function train(data: string, settings?: GivenTraining, options?: Options): Promise<TrainingResult>
/** The same with the folder among the settings: `train({ data: 'photos/', epochs: 30 })`. */
export async function train(
  settings: GivenTraining & { readonly data: string },
  options?: Options,
): Promise<TrainingResult>
export async function train(
  data: string | (GivenTraining & { readonly data: string }),
  second: GivenTraining | Options = {},
  third: Options = {},
) {
  const [folder, settings, options] =
    typeof data === 'string' ? [data, second as GivenTraining, third] : [data.data, data, second as Options]
  const config = resolveConfig(trainingSettings(folder, settings))
  return inFolder(createRun(options.runs ?? 'runs', 'training', config), runTraining, options)
}

/** Searches a person's own images for poison without training a model: `audit('photos/')`. */
export async function audit(data: string, settings: GivenTraining = {}, options: Options = {}): Promise<AuditResult> {
  const config = resolveConfig(auditSettings(data, settings))
  return inFolder(createRun(options.runs ?? 'runs', 'audit', config), runAudit, options)
}

/** Repairs a model, given as a file or as a run's directory, with clean images: `repair('resnet18.safetensors', { clean: 'trusted/' })`. */
export async function repair(
  model: string,
  settings: GivenRepair,
  { classes, size, normalization, ...options }: Options & ForeignReading = {},
) {
  const given = { file: modelFile(model), reading: { classes, size, normalization } }
  const config = resolveConfig(repairSettings(given, settings))
  const body = (folder: RunFolder, listener: Listener) => runRepair(folder, listener, given)
  return inFolder(createRun(options.runs ?? 'runs', 'repair', config), body, options)
}

/** Goes on with a run that was broken off; a finished one gives its result again. */
export async function resume(path: string, options: Options = {}) {
  return inFolder(openRun(path), resumeRun, options)
}

/**
 * Measures a model, given as a file or as a run's directory, on the test images of its run and against the trigger that
 * its run poisoned with, unless the settings say otherwise. `trigger` names a run's directory or the truth beside a poisoned
 * data set, whose trigger is measured instead.
 */
export async function evaluate(
  model: string,
  settings: GivenSettings = {},
  { listener, trigger, classes, size, normalization }: Options & ForeignReading & { readonly trigger?: string } = {},
) {
  const measured = openMeasured(model, trigger, { classes, size, normalization })
  const config = resolveConfig(evaluationSettings(measured, settings))
  return evaluateModel(measured, config, { ...silent, ...listener })
}

/**
 * Runs a detector on a finished experiment's poisoned images and model, and compares with the truth:
 * `detect('runs/…', { detector: 'strip', 'detector.superpositions': 20 })`.
 */
export async function detect(
  run: string,
  settings: GivenDetection,
  { listener, classes, size, normalization }: Options & ForeignReading = {},
) {
  const reading = { classes, size, normalization }
  return detectPoison(run, resolveDetection(settings), { ...silent, ...listener }, reading)
}

/** Writes a poisoned data set to the folder `out`, and beside it the truth: `poisonData({ attack: 'blend' }, { out })`. */
export async function poisonData(
  settings: GivenSettings,
  { listener, out, format = 'folders' }: Options & { readonly out: string; readonly format?: Format },
) {
  return writePoisoned(resolveConfig(detected(settings)), { out, format, listener: { ...silent, ...listener } })
}

/** Draws an attack's trigger on eight images, as the PNG file `out`. */
export async function preview(settings: GivenSettings, { listener, out }: Options & { readonly out: string }) {
  return previewTrigger(resolveConfig(detected(settings)), { out, listener: { ...silent, ...listener } })
}

/**
 * What a model, given as a file or as a run's directory, says of images: files, folders, or patterns. `top` is how many classes
 * are named for each.
 */
export async function classify(
  model: string,
  files: readonly string[],
  {
    device = 'auto',
    threads = 0,
    top = 1,
    ...reading
  }: ForeignReading & { device?: string; threads?: number; top?: number } = {},
) {
  const compute = settleCompute({ device, precision: 'fp32', threads })
  return classifyFiles(modelFile(model), files, { compute, top, reading })
}

/** Writes a model, given as a file or as a run's directory, for other programs: `exportModel('runs/…', { formats: ['onnx'] })`. */
export async function exportModel(
  model: string,
  {
    formats = exportFormats,
    threads = 0,
    out,
    listener,
    ...reading
  }: Omit<Options, 'runs'> & ForeignReading & Partial<Pick<ExportOptions, 'formats' | 'out' | 'threads'>> = {},
) {
  return writeExport(model, { formats, out, threads, reading }, { ...silent, ...listener })
}

/** Where `data` is given without `dataset`, the folder says which it is. */
function detected(settings: GivenSettings): Readonly<Record<string, unknown>> {
  const { data, dataset } = settings
  return typeof data === 'string' && dataset === undefined ? onData(data, settings) : settings
}

async function inFolder<T>(
  folder: RunFolder,
  body: (folder: RunFolder, listener: Listener) => Promise<T>,
  { listener }: Options,
): Promise<T> {
  try {
    return await body(folder, { ...silent, ...listener })
  } finally {
    folder.close()
  }
}
