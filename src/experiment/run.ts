import { UserError } from '../errors.ts'
import type { Classifier } from '../nn/classifier.ts'
import { askedModel } from '../report/asked-model.ts'
import type { Confusion } from '../report/facts.ts'
import { confusionOf, keepForReport } from '../report/keep.ts'
import { writePreview } from '../report/preview.ts'
import { drawSuspects, writeSuspects } from '../report/suspects.ts'
import { shownTriggers } from '../report/triggers.ts'
import { writeReport } from '../report/write-report.ts'
import { Random } from '../tensor/random.ts'
import { arena } from '../tensor/scope.ts'
import { checkpointFolder } from '../training/checkpoint.ts'
import type { ImageSet } from '../training/images.ts'
import type { EpochMetrics } from '../training/stage.ts'
import { watchForCollapse } from './measure/collapse.ts'
import { type Answers, answersOf, evaluate, evaluateSuspicion, figuresOf } from './measure/evaluate.ts'
import { auroc, mean, median } from './measure/statistics.ts'
import { plainlyTrained } from './prepare/baseline.ts'
import { countedBeginning } from './prepare/beginning.ts'
import { craftAttack } from './prepare/craft.ts'
import { inTrainingOrder, loadDataset } from './prepare/data.ts'
import { defend } from './prepare/defend.ts'
import { keepingMetrics, type Listener } from './prepare/listener.ts'
import type { Truth } from './prepare/poison.ts'
import { openTrainingContext } from './prepare/training-context.ts'
import { withoutFiles } from './settings/file-options.ts'
import { rememberEnvironment, settleRun } from './store/environment.ts'
import { keepPortraits } from './store/portraits.ts'
import type { RunFolder } from './store/run-folder.ts'
import { saveModel } from './store/saved-model.ts'
import { type ExperimentResult, experimentSchema, type PlainFigures, resultVersion } from './store/schema.ts'

/**
 * An experiment with known truth, on one page: load, poison, train by the defense, measure, record. Given the directory
 * of an unfinished run it goes on where that stopped.
 */
export async function runExperiment(folder: RunFolder, listener: Listener): Promise<ExperimentResult> {
  const { config } = folder
  const random = new Random(config.seed)
  const compute = settleRun(folder)
  const began = performance.now()
  const reporter = keepingMetrics(folder, listener)

  return arena(async () => {
    const { train: given, test, problems } = await loadDataset(config, listener)
    if (!test)
      throw new UserError('data', `Cannot measure on '${config.dataset}': it has no test images ('train' does without)`)
    const environment = rememberEnvironment(folder, given, test, compute, listener.say)
    const { train, order, clean } = inTrainingOrder(given, config)
    const crafted = await craftAttack(config, train, { compute, listener: reporter, file: folder.file })
    const { attack, trigger } = crafted
    const poisoned = crafted.poison()
    folder.writeJson('truth.json', { trigger, hash: poisoned.truth.hash, ...lists(poisoned, order) })
    await writePreview(folder.file('preview.png'), { clean: test, attack, training: { train, poisoned } })
    listener.say(describePoison(poisoned.truth, train.labels.length))

    let backdoored: PlainFigures | null = null
    const context = {
      compute,
      random: random.fork('defense'),
      checkpoints: checkpointFolder(folder.file('checkpoints'), listener.say),
      reporter,
    }
    const watch = watchForCollapse(poisoned.set.labels, listener.say)
    const watched = (metrics: EpochMetrics) => {
      reporter.epoch(metrics)
      watch(metrics)
    }
    const figures = async (model: Classifier, seconds: number | null): Promise<PlainFigures> => {
      const { cleanAccuracy, attackSuccessRate, collapsed } = await evaluate(model, test, {
        attack,
        device: compute.device,
      })
      return { cleanAccuracy, attackSuccessRate, collapsed, seconds }
    }
    const { classifier, suspicion, description, beginning, seconds } = await defend(config, poisoned.set, {
      ...context,
      reporter: { ...reporter, epoch: watched },
      clean,
      portraits: keepPortraits(folder.file('portraits.safetensors'), {
        labels: poisoned.set.labels,
        order,
        seed: config.seed,
      }),
      trace: (name, epoch, values) => folder.appendMetrics(compareWithTruth(name, epoch, values, poisoned.truth)),
      async onBackdoored(model, seconds) {
        backdoored = await figures(model, seconds)
      },
    })
    const resumed = folder.readJson('resumed.json') !== undefined
    // Of a resumed run only the last part was timed.
    const trainingSeconds = resumed ? null : seconds
    const modelHash = saveModel(folder.file('model.safetensors'), classifier, description)
    const answers = await answersOf(classifier, test, { attack, device: compute.device })
    const evaluation = figuresOf(answers, test, attack)
    const reference = config.reference ? await measureReference() : null
    if (suspicion) {
      writeSuspects(folder.file('suspects.csv'), poisoned.set, suspicion)
      await drawSuspects(folder.file('suspects.png'), poisoned.set, suspicion)
    }
    await keepForReport(folder, {
      images: poisoned.set,
      suspicion,
      model: askedModel(classifier, compute.device),
      truth: poisoned.truth,
      confusions: confusionsOf(test, answers),
      trigger: shownTriggers(test, attack, answers),
    })

    /** What training on the clean images gives by the same recipe, length and seed. */
    async function measureReference(): Promise<PlainFigures> {
      const training = openTrainingContext(config, train, context)
      const model = training.model('model')
      const seconds = await plainlyTrained(model, { config, images: train, name: 'reference' }, context)
      training.close()
      return figures(model, seconds)
    }

    const what = {
      run: folder.path,
      dataset: config.dataset,
      attack: config.attack,
      defense: config.defense,
      preset: config.preset,
      model: config.model,
      epochs: config.epochs,
      seed: config.seed,
      target: crafted.target,
    }
    const poison = {
      rate: poisoned.truth.poisoned.length / train.labels.length,
      classRate: config['class-rate'] ?? null,
      labelling: config.labelling,
      attackOptions: withoutFiles('attack', config.options.attack),
      attackReport: crafted.report,
      poisonedImages: poisoned.truth.poisoned.length,
      coverImages: poisoned.truth.covers.length,
      poisonHash: poisoned.truth.hash,
      trigger,
      skippedFiles: problems,
      cleanImagesGiven: clean?.labels.length ?? 0,
    }
    const comparison = {
      backdoored: backdoored as PlainFigures | null,
      reference,
      excessSuccessRate: reference && excess(evaluation.attackSuccessRate, reference.attackSuccessRate),
    }
    const provenance = {
      ...countedBeginning(beginning),
      modelHash,
      trainingSeconds,
      seconds: (performance.now() - began) / 1000,
      resumed,
      environment,
    }
    const result = experimentSchema.parse({
      version: resultVersion,
      ...what,
      ...poison,
      ...evaluation,
      suspicion: suspicion ? evaluateSuspicion(suspicion, poisoned.truth, poisoned.set.labels) : null,
      ...comparison,
      ...provenance,
      files: { report: folder.file('report.html') },
    })
    folder.writeJson('result.json', result)
    await writeReport(folder.path)
    return result
  })
}

function confusionsOf(test: ImageSet, { clean, attacked, triggered }: Answers): Confusion[] {
  const labels = attacked.map((i) => test.labels[i] as number)
  const onTriggered = attacked.length > 0 ? [confusionOf('triggered', labels, triggered)] : []
  return [confusionOf('test', test.labels, clean), ...onTriggered]
}

function excess(rate: number | null, reference: number | null): number | null {
  return rate === null || reference === null ? null : rate - reference
}

function describePoison({ poisoned, covers }: Truth, count: number): string {
  const covered = covers.length > 0 ? `; ${covers.length} more are covers, which keep their label` : ''
  return `${poisoned.length} of ${count} training images are poisoned${covered}`
}

/** The truth in the data set's own numbering, `order` being that of training. */
function lists({ set, truth }: { set: ImageSet; truth: Truth }, order: Int32Array) {
  const { poisoned, covers, originalLabels } = truth
  return {
    poisoned: Array.from(poisoned, (i) => order[i]),
    covers: Array.from(covers, (i) => order[i]),
    originalLabels: Array.from(poisoned, (i) => originalLabels[i]),
    givenLabels: Array.from(poisoned, (i) => set.labels[i]),
  }
}

/** How a number that a defense gives every image differs between poisoned and clean ones; the low ones are the suspicious. */
function compareWithTruth(trace: string, epoch: number, values: Float32Array, truth: Truth) {
  const poisoned = new Set(truth.poisoned)
  const ofPoison = Array.from(values).filter((_, i) => poisoned.has(i))
  const ofClean = Array.from(values).filter((_, i) => !poisoned.has(i))
  const area = auroc(values, (i) => poisoned.has(i))
  return {
    trace,
    epoch,
    auroc: area === null ? null : 1 - area,
    poisonedMean: mean(ofPoison),
    poisonedMedian: median(ofPoison),
    cleanMean: mean(ofClean),
    cleanMedian: median(ofClean),
  }
}
