import { attacks } from '../attacks/index.ts'
import { UserError } from '../errors.ts'
import { askedModel } from '../report/asked-model.ts'
import type { Facts } from '../report/facts.ts'
import { confusionOf, keepForReport } from '../report/keep.ts'
import { sharedPatch } from '../report/shared-patch.ts'
import { drawSuspects, writeSuspects } from '../report/suspects.ts'
import { writeReport } from '../report/write-report.ts'
import { Random } from '../tensor/random.ts'
import { arena } from '../tensor/scope.ts'
import { checkpointFolder } from '../training/checkpoint.ts'
import type { ImageSet } from '../training/images.ts'
import { type Findings, findings, type Suspicion } from '../training/suspicion.ts'
import { watchForCollapse } from './measure/collapse.ts'
import { leadingLabel } from './measure/leading-label.ts'
import { countedBeginning } from './prepare/beginning.ts'
import { loadDataset, onData } from './prepare/data.ts'
import { withoutDropped } from './prepare/decided.ts'
import { defend, refuseWithoutClean } from './prepare/defend.ts'
import { holdOut } from './prepare/hold-out.ts'
import { keepingMetrics, type Listener } from './prepare/listener.ts'
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
    const { given, test, clean, kept, heldOut, problems } = await loadUntrusted(config, listener)
    const environment = rememberEnvironment(folder, given, test, compute, listener.say)

    const reporter = keepingMetrics(folder, listener)
    const watch = watchForCollapse(kept.labels, listener.say)
    const { classifier, suspicion, description, beginning } = await defend(config, kept, {
      compute,
      random: random.fork('defense'),
      clean,
      checkpoints: checkpointFolder(folder.file('checkpoints'), listener.say),
      reporter: {
        ...reporter,
        epoch(metrics) {
          reporter.epoch(metrics)
          watch(metrics)
        },
      },
    })
    const modelHash = saveModel(folder.file('model.safetensors'), classifier, description)
    if (suspicion) {
      writeSuspects(folder.file('suspects.csv'), kept, suspicion)
      await drawSuspects(folder.file('suspects.png'), kept, suspicion)
    }
    const model = askedModel(classifier, compute.device)
    const heldOutAnswers = heldOut && (await model.answers(heldOut))
    const testAnswers = test && (await model.answers(test))
    const facts = await keepForReport(folder, {
      images: kept,
      suspicion,
      model,
      confusions: [
        ...(heldOut && heldOutAnswers ? [confusionOf('held-out', heldOut.labels, heldOutAnswers)] : []),
        ...(test && testAnswers ? [confusionOf('test', test.labels, testAnswers)] : []),
      ],
    })

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
      heldOutAgreement: heldOut && agreement(heldOut, heldOutAnswers),
      testImages: test?.labels.length ?? 0,
      /** share of the folder's test images that the model labels as they are labelled; nothing else is done with them */
      testAgreement: test && agreement(test, testAnswers),
      suspicion: suspicion ? judged(suspicion, kept, facts) : null,
      files: {
        model: folder.file('model.safetensors'),
        suspects: suspicion ? folder.file('suspects.csv') : null,
        picture: suspicion ? folder.file('suspects.png') : null,
        report: folder.file('report.html'),
      },
      ...countedBeginning(beginning),
      modelHash,
      seconds: (performance.now() - began) / 1000,
      environment,
    })
    folder.writeJson('result.json', result)
    await writeReport(folder.path)
    return result
  })
}

/** Share of images that the model labels as they are labelled. */
function agreement({ labels }: ImageSet, answers: Int32Array | null): number | null {
  return answers && answers.filter((answer, i) => answer === labels[i]).length / Math.max(1, labels.length)
}

/** What a suspicion amounts to, with remarks on a patch that flagged images share, or on a ranking that leans where none is flagged. */
export function judged(suspicion: Suspicion, { labels, classes }: ImageSet, facts: Facts): Findings {
  const found = findings(suspicion, labels)
  const shared = sharedPatch(facts)
  if (shared) return { ...found, remarks: [...found.remarks, shared] }
  const leading = found.flagged === 0 ? leadingLabel(suspicion, labels) : null
  if (!leading) return found
  const { label, count, top, share } = leading
  const said = `${count} of the ${top} most suspicious images are labelled '${classes[label]}', as are ${Math.round(100 * share)} % of all`
  return { ...found, remarks: [...found.remarks, `${said}: look at the top of suspects.csv`] }
}

/** The images to train on, those held out, and those that are trusted; refuses all that cannot be trained on. */
export async function loadUntrusted(config: Config, listener: Listener) {
  const { train, test, problems } = await loadDataset(config, listener)
  const given = withoutDropped(train, config, listener)
  if (test) listener.say('the test images are not trained on: agreement with them is measured')
  const clean = await loadTrusted(config, given, listener)
  refuseWithoutClean(config, clean)
  const { kept, apart: heldOut } = holdOut(given, config)
  return { given, test, clean, problems, kept, heldOut }
}

/** What `train` does unless told otherwise. */
export const trainingDefaults = { defense: 'deconfound' } as const

/** The settings for a person's own folder. */
export function trainingSettings(data: string, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  if (typeof data !== 'string' || data === '')
    throw new UserError('usage', 'Cannot train on nothing: give data, the path of a folder of class folders')
  const poisoning = Object.entries(attacks).find(([name, { labels }]) => name === given.attack && labels !== 'none')
  if (poisoning) {
    const facts = `it poisons by attack '${given.attack}', and 'train' poisons nothing`
    throw new UserError('usage', `Cannot train by the configuration of an experiment: ${facts}; give it to 'run'`)
  }
  const defaults = given.defense === undefined ? trainingDefaults : {}
  return { ...defaults, ...onData(data, given), attack: 'none', 'test-share': 0 }
}
