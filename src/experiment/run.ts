import { createHash } from 'node:crypto'
import type { AttackEntry, Crafted } from '../attacks/attack.ts'
import { attacks } from '../attacks/index.ts'
import type { DatasetEntry } from '../datasets/dataset.ts'
import { datasets } from '../datasets/index.ts'
import { UserError } from '../errors.ts'
import { writePreview } from '../report/preview.ts'
import { writeSuspects } from '../report/suspects.ts'
import type { Compute } from '../tensor/device.ts'
import { Random } from '../tensor/random.ts'
import { arena } from '../tensor/scope.ts'
import { checkpointFolder } from '../training/checkpoint.ts'
import type { ImageSet } from '../training/images.ts'
import type { Config } from './config.ts'
import { defend } from './defend.ts'
import { describeEnvironment, settleCompute } from './environment.ts'
import { evaluate, evaluateSuspicion } from './evaluate.ts'
import type { Listener } from './listener.ts'
import { poison, type Truth } from './poison.ts'
import type { RunFolder } from './record.ts'
import { saveModel } from './saved-model.ts'
import { auroc, mean, median } from './statistics.ts'

/**
 * An experiment with known truth, on one page: load, poison, train by the defense, measure, record. Given the directory
 * of an unfinished run it goes on where that stopped.
 */
export async function runExperiment(folder: RunFolder, listener: Listener) {
  const { config } = folder
  const random = new Random(config.seed)
  const compute = settleCompute(config)
  const began = performance.now()

  return arena(async () => {
    const { train, test } = await loadDataset(config, listener)
    if (!test)
      throw new UserError('data', `Cannot measure on '${config.dataset}': it has no test images ('train' does without)`)
    if (config.target >= train.classes.length) {
      throw new UserError(
        'usage',
        `Cannot aim at class ${config.target}: there are ${train.classes.length} classes, from 0 on`,
      )
    }
    const entry = attacks[config.attack] as unknown as AttackEntry
    const view = { random: random.fork('attack'), train, target: config.target }
    const attack: Crafted = await entry.craft(config.options.attack, view)
    const poisoned = poison(train, attack, {
      rate: entry.labels === 'none' ? 0 : config.rate,
      random: random.fork('poison'),
    })
    const trigger = identify(config)
    folder.writeJson('truth.json', { trigger, hash: poisoned.truth.hash, ...lists(poisoned.truth) })
    await writePreview(folder.file('preview.png'), test, attack)
    const environment = rememberEnvironment(folder, train, test, compute, listener.say)
    listener.say(`${poisoned.truth.poisoned.length} of ${train.labels.length} training images are poisoned`)

    const trained = performance.now()
    const { classifier, suspicion, description } = await defend(config, poisoned.set, {
      ...{ compute, random: random.fork('defense') },
      checkpoints: checkpointFolder(folder.file('checkpoints'), listener.say),
      onProgress: listener.progress,
      onEpoch(metrics) {
        folder.appendMetrics(metrics)
        listener.epoch(metrics)
      },
      onTrace: (name, epoch, values) => folder.appendMetrics(compareWithTruth(name, epoch, values, poisoned.truth)),
      interrupted: listener.interrupted,
    })
    const trainingSeconds = (performance.now() - trained) / 1000
    const modelHash = saveModel(folder.file('model.safetensors'), classifier, description)
    const evaluation = await evaluate(classifier, test, { attack, device: compute.device })
    if (suspicion) writeSuspects(folder.file('suspects.csv'), poisoned.set, suspicion)

    const result = {
      ...{
        run: folder.path,
        dataset: config.dataset,
        attack: config.attack,
        defense: config.defense,
        preset: config.preset,
      },
      ...{ model: config.model, epochs: config.epochs, seed: config.seed, rate: config.rate, target: config.target },
      ...evaluation,
      suspicion: suspicion ? evaluateSuspicion(suspicion, poisoned.truth, poisoned.set.labels) : null,
      poisonedImages: poisoned.truth.poisoned.length,
      poisonHash: poisoned.truth.hash,
      ...{ trigger, modelHash, trainingSeconds, seconds: (performance.now() - began) / 1000 },
      ...{ resumed: folder.readJson('resumed') === true, environment },
    }
    folder.writeJson('result.json', result)
    return result
  })
}

export type ExperimentResult = Awaited<ReturnType<typeof runExperiment>>

/** Loads the configured data set. */
export function loadDataset(config: Config, listener: Listener) {
  const entry = datasets[config.dataset] as unknown as DatasetEntry
  return entry.load(config.options.dataset, { data: config.data, seed: config.seed, progress: listener.reading })
}

/** A trigger's identity: what determines it, and nothing else. */
function identify({ attack, options, seed, target }: Config): string {
  return createHash('sha256')
    .update(JSON.stringify([attack, options.attack, seed, target]))
    .digest('hex')
}

/** Writes the run's circumstances; where they were written before, the data must be the same. */
export function rememberEnvironment(
  folder: RunFolder,
  train: ImageSet,
  test: ImageSet | null,
  compute: Compute,
  say: (line: string) => void,
) {
  const environment = { ...describeEnvironment(compute), trainHash: train.hash, testHash: test?.hash ?? null }
  const before = folder.readJson('environment.json') as typeof environment | undefined
  if (before && (before.trainHash !== environment.trainHash || before.testHash !== environment.testHash)) {
    throw new UserError('data', `Cannot resume '${folder.path}': its data has changed since it began; start a new run`)
  }
  if (before) folder.writeJson('resumed', true)
  folder.writeJson('environment.json', environment)
  say(`${before ? 'going on' : 'running'} in ${folder.path}`)
  return environment
}

function lists({ poisoned, covers, originalLabels }: Truth) {
  return {
    poisoned: [...poisoned],
    covers: [...covers],
    originalLabels: Array.from(poisoned, (i) => originalLabels[i]),
  }
}

/** How a number that a defense gives every image differs between poisoned and clean ones; the low ones are the suspicious. */
function compareWithTruth(trace: string, epoch: number, values: Float32Array, truth: Truth) {
  const poisoned = new Set(truth.poisoned)
  const ofPoison = Array.from(values).filter((_, i) => poisoned.has(i))
  const ofClean = Array.from(values).filter((_, i) => !poisoned.has(i))
  const area = auroc(values, (i) => poisoned.has(i))
  return {
    ...{ trace, epoch, auroc: area === null ? null : 1 - area },
    ...{
      poisonedMean: mean(ofPoison),
      poisonedMedian: median(ofPoison),
      cleanMean: mean(ofClean),
      cleanMedian: median(ofClean),
    },
  }
}
