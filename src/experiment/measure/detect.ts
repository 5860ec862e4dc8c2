import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import type { DetectorEntry, DetectorView } from '../../detectors/detector.ts'
import { type DetectorName, detectors } from '../../detectors/index.ts'
import { UserError } from '../../errors.ts'
import { Random } from '../../tensor/random.ts'
import { arena } from '../../tensor/scope.ts'
import type { ImageSet } from '../../training/images.ts'
import { loader } from '../../training/loader.ts'
import { craftAgain } from '../prepare/craft-again.ts'
import { inTrainingOrder, loadDataset } from '../prepare/data.ts'
import type { Listener } from '../prepare/listener.ts'
import { check, under } from '../settings/check.ts'
import { resolveConfig } from '../settings/config.ts'
import type { AnyOf, EntryOptions } from '../settings/given.ts'
import { describeEnvironment, settleCompute } from '../store/environment.ts'
import type { ForeignReading } from '../store/foreign-model.ts'
import { modelFile } from '../store/model-file.ts'
import { openTrigger, type RecordedTrigger } from '../store/recorded-trigger.ts'
import { loadModel, type ModelDescription } from '../store/saved-model.ts'
import { evaluateSuspicion } from './evaluate.ts'

/** What can be set of a detection, besides the detector's own options. */
export const detectionSettings = z.strictObject({
  detector: z.enum(Object.keys(detectors) as [DetectorName, ...DetectorName[]]).describe('how poison is looked for'),
  model: z
    .string()
    .optional()
    .describe('a model file that looks in place of the one that the run trained, also one that was trained elsewhere'),
  batch: z.int().min(1).default(256).describe('images per pass through the model'),
  data: z.string().optional().describe("where the data set's files are (default: where the run had them)"),
  device: z.string().optional().describe("'auto', 'cpu' or 'cuda:N' (default: as the run was told)"),
  threads: z.int().min(0).optional().describe('0: as many as there are cores (default: as the run was told)'),
})

/** A detection as a program gives it. */
export type GivenDetection = AnyOf<typeof detectionSettings> &
  Required<Pick<z.input<typeof detectionSettings>, 'detector'>> &
  EntryOptions<'detector'>

export interface Detection extends z.output<typeof detectionSettings> {
  readonly options: Readonly<Record<string, unknown>>
}

/** Checks a flat record, such as `{ detector: 'strip', 'detector.superpositions': 20 }`, and fills in all defaults. */
export function resolveDetection(given: Readonly<Record<string, unknown>>, source = 'the settings'): Detection {
  const own = Object.entries(given).filter(([key]) => !key.startsWith('detector.'))
  const plain = check(detectionSettings, Object.fromEntries(own), { source, prefix: '' })
  const { options } = detectors[plain.detector] as unknown as DetectorEntry
  return { ...plain, options: check(options.strict(), under('detector.', given), { source, prefix: 'detector.' }) }
}

/**
 * Runs a detector on what a finished experiment trained on, which is poisoned again as it was then, and on the model that
 * came out; then compares with the truth. Nothing is written to the run's directory.
 */
export async function detectPoison(
  run: string,
  detection: Detection,
  listener: Listener,
  reading: ForeignReading = {},
) {
  const { detector, options, batch, data, device, threads } = detection
  const recorded = openTrigger(run)
  const result = finished(recorded)
  const moved = Object.entries({ data, device, threads }).filter(([, value]) => value !== undefined)
  const config = resolveConfig({ ...recorded.settings, ...Object.fromEntries(moved) })
  const compute = settleCompute(config)
  const entry = detectors[detector] as unknown as DetectorEntry

  return arena(async () => {
    const file = detection.model === undefined ? recorded.file('model.safetensors') : modelFile(detection.model)
    const { model, description } = loadModel(file, compute, reading)
    const { train: given, problems } = await loadDataset(config, listener)
    requireSameForm(description, given, file)
    const { train, clean } = inTrainingOrder(given, config)
    const crafted = await craftAgain(recorded, config, train, { compute, listener })
    const { set, truth } = crafted.poison()
    if (given.hash !== result.trainHash || truth.hash !== result.poisonHash) {
      const facts = "they come out other than the run's: the data have changed since"
      throw new UserError(
        'verification',
        `Cannot poison the images of '${recorded.path}' again: ${facts}; restore them`,
      )
    }
    const began = performance.now()
    const images = loader(set, compute.device)
    const trusted = clean && entry.assumes !== 'nothing' ? loader(clean, compute.device) : null
    const view: DetectorView = {
      images,
      classes: set.classes,
      model,
      clean: trusted,
      compute,
      batch,
      onProgress: listener.scoring,
      random: new Random(config.seed).fork('detector'),
    }
    const suspicion = await entry.detect(options, view)
    const seconds = (performance.now() - began) / 1000
    images.free()
    trusted?.free()
    const quality = evaluateSuspicion(suspicion, truth, set.labels)
    const inverted = quality.auroc !== null && quality.auroc < 0.5
    return {
      run: recorded.path,
      model: file,
      detector,
      options,
      dataset: config.dataset,
      attack: config.attack,
      defense: config.defense,
      seed: config.seed,
      target: crafted.target,
      trigger: recorded.trigger,
      poisonHash: truth.hash,
      images: set.labels.length,
      poisonedImages: truth.poisoned.length,
      coverImages: truth.covers.length,
      cleanImagesGiven: trusted?.count ?? 0,
      threshold: suspicion.threshold,
      ...quality,
      remarks: inverted ? [...quality.remarks, worseThanChance] : quality.remarks,
      skippedFiles: problems,
      seconds,
      environment: { ...describeEnvironment(compute), trainHash: given.hash },
    }
  })
}

/** A UserError where a model does not take these images, or tells other classes apart. */
function requireSameForm({ shape, classes, nameless }: ModelDescription, images: ImageSet, file: string): void {
  const sameNames = nameless || classes.join('\n') === images.classes.join('\n')
  if (shape.join() === images.shape.join() && classes.length === images.classes.length && sameNames) return
  const one = `${classes.length} classes of ${shape.join('×')}`
  const other = `${images.classes.length} of ${images.shape.join('×')}`
  const names = classes.length === images.classes.length && !sameNames ? ', and their names are others' : ''
  throw new UserError(
    'data',
    `Cannot look for poison with '${file}': it takes ${one}, the run had ${other}${names}; give a model of the same classes and --size`,
  )
}

const worseThanChance =
  'The ranking is worse than chance (AUROC below 0.5): most poisoned images score lower than the others'

export type DetectionResult = Awaited<ReturnType<typeof detectPoison>>

const recordedFacts = z.object({
  poisonHash: z.string(),
  environment: z.object({ trainHash: z.string() }),
})

/** What a finished experiment says of the images it trained on. */
function finished({ path, file }: RecordedTrigger): { trainHash: string; poisonHash: string } {
  const refuse = (facts: string) =>
    new UserError('usage', `Cannot look for poison in '${path}': ${facts}; give the directory of a finished experiment`)
  if (!existsSync(file('result.json'))) throw refuse('it has no result')
  let parsed: unknown
  try {
    parsed = JSON.parse(readFileSync(file('result.json'), 'utf8'))
  } catch (error) {
    throw new UserError('data', `Cannot read '${file('result.json')}': ${(error as Error).message}; restore it`)
  }
  const facts = recordedFacts.safeParse(parsed)
  if (!facts.success) throw refuse('its result does not say what was poisoned')
  return { poisonHash: facts.data.poisonHash, trainHash: facts.data.environment.trainHash }
}
