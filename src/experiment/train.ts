import { UserError } from '../errors.ts'
import { writeSuspects } from '../report/suspects.ts'
import { Random } from '../tensor/random.ts'
import { arena } from '../tensor/scope.ts'
import { checkpointFolder } from '../training/checkpoint.ts'
import { type ImageSet, subset } from '../training/images.ts'
import { loader } from '../training/loader.ts'
import { accuracyOn } from '../training/predict.ts'
import { findings } from '../training/suspicion.ts'
import { watchForCollapse } from './measure/collapse.ts'
import { loadDataset, onFolder } from './prepare/data.ts'
import { defend } from './prepare/defend.ts'
import type { Listener } from './prepare/listener.ts'
import { loadTrusted } from './prepare/trusted.ts'
import type { Config } from './settings/config.ts'
import { rememberEnvironment, settleRun } from './store/environment.ts'
import type { RunFolder } from './store/run-folder.ts'
import { saveModel } from './store/saved-model.ts'
import { resultVersion, type TrainingResult, trainingSchema } from './store/schema.ts'

/**
 * Trains on a person's own images, of which nothing is known: a model, the suspicious images, and no accuracy that
 * deserves the name, since the labels it would be measured against are as untrusted as those trained on.
 */
export async function runTraining(folder: RunFolder, listener: Listener): Promise<TrainingResult> {
  const { config } = folder
  const random = new Random(config.seed)
  const compute = settleRun(folder)
  const began = performance.now()

  return arena(async () => {
    const { train: given, test, problems } = await loadDataset(config, listener)
    if (test) listener.say(`the ${test.labels.length} test images are not used: 'deconfound evaluate' measures on them`)
    const clean = await loadTrusted(config, given, listener)
    const environment = rememberEnvironment(folder, given, null, compute, listener.say)
    const { kept, heldOut } = holdOut(given, config, random.fork('holdout'))

    const watch = watchForCollapse(kept.labels, listener.say)
    const { classifier, suspicion, description } = await defend(config, kept, {
      compute,
      random: random.fork('defense'),
      clean,
      checkpoints: checkpointFolder(folder.file('checkpoints'), listener.say),
      reporter: {
        ...listener,
        epoch(metrics) {
          folder.appendMetrics(metrics)
          listener.epoch(metrics)
          watch(metrics)
        },
      },
    })
    const modelHash = saveModel(folder.file('model.safetensors'), classifier, description)
    if (suspicion) writeSuspects(folder.file('suspects.csv'), kept, suspicion)
    const agreement = heldOut && (await agreementWith(heldOut))

    async function agreementWith(images: ImageSet): Promise<number> {
      const onDevice = loader(images, compute.device)
      const agreement = await accuracyOn(classifier, onDevice)
      onDevice.free()
      return agreement
    }

    const result = trainingSchema.parse({
      version: resultVersion,
      run: folder.path,
      data: config.data ?? null,
      defense: config.defense,
      preset: config.preset,
      model: config.model,
      epochs: config.epochs,
      seed: config.seed,
      classes: given.classes,
      trainingImages: kept.labels.length,
      skippedFiles: problems,
      heldOutImages: heldOut?.labels.length ?? 0,
      /** share of held-out images, labels untrusted, that the model labels as they came */
      heldOutAgreement: agreement,
      suspicion: suspicion ? findings(suspicion, kept.labels) : null,
      files: {
        model: folder.file('model.safetensors'),
        suspects: suspicion ? folder.file('suspects.csv') : null,
      },
      modelHash,
      seconds: (performance.now() - began) / 1000,
      environment,
    })
    folder.writeJson('result.json', result)
    return result
  })
}

/** What `train` does unless told otherwise. */
export const trainingDefaults = { defense: 'deconfound' } as const

/** The settings for a person's own folder. */
export function trainingSettings(data: string, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const defaults = given.defense === undefined ? trainingDefaults : {}
  return { ...defaults, ...onFolder(data, given), attack: 'none' }
}

/** A seeded share of each class set apart, leaving every class at least two images to train on. */
function holdOut(given: ImageSet, { holdout }: Config, random: Random): { kept: ImageSet; heldOut: ImageSet | null } {
  if (given.labels.length < 4) {
    throw new UserError('data', `Cannot train on ${given.labels.length} images: that is too few to learn anything from`)
  }
  const sizes = given.classes.map((_, k) => given.labels.filter((label) => label === k).length)
  const left = sizes.map((size) => Math.max(0, Math.min(Math.floor(holdout * size), size - 2)))
  const apart = new Set<number>()
  for (const i of random.permutation(given.labels.length)) {
    const label = given.labels[i] as number
    if ((left[label] as number) <= 0) continue
    left[label] = (left[label] as number) - 1
    apart.add(i)
  }
  if (apart.size === 0) return { kept: given, heldOut: null }
  const indices = Int32Array.from(given.labels.keys())
  return {
    kept: subset(
      given,
      indices.filter((i) => !apart.has(i)),
    ),
    heldOut: subset(
      given,
      indices.filter((i) => apart.has(i)),
    ),
  }
}
