import type { Crafted, Trigger } from '../../attacks/attack.ts'
import type { Classifier } from '../../nn/classifier.ts'
import { type ImageSet, subset } from '../../training/images.ts'
import { type Loader, loader } from '../../training/loader.ts'
import { predict, scoreEach } from '../../training/predict.ts'
import { type Findings, findings, type Suspicion } from '../../training/suspicion.ts'
import { type Truth, triggered } from '../prepare/poison.ts'
import { auroc } from './statistics.ts'

/** How a model does on benign test images, and on the same with the trigger. */
export interface Evaluation {
  /** CA: share of all benign test images classified right */
  readonly cleanAccuracy: number
  /** CA of each class, null for a class without test images */
  readonly cleanAccuracyPerClass: readonly (number | null)[]
  /**
   * ASR: over test images whose true class is not what the attack wants them taken for, the share that is taken for it
   * once triggered. Of an untargeted attack: over all test images, the share that is no longer given its true class once
   * triggered; a model trained on clean data has this rate as well, as its error on triggered images. Null without an attack.
   */
  readonly attackSuccessRate: number | null
  /** ASR of each trigger by itself, for attacks with several */
  readonly attackSuccessRateOf: Readonly<Record<string, number | null>>
  /** RA: share of the same triggered images classified as their true class */
  readonly recoveredAccuracy: number | null
  /** how many benign images CA is over */
  readonly cleanImages: number
  /** how many triggered images ASR and RA are over */
  readonly triggeredImages: number
  /**
   * True where more than 60 % of the benign images are taken for one class although no class has that many: such a
   * model is no successful defense, whatever its ASR.
   */
  readonly collapsed: boolean
}

/** The class that a model takes each test image for. */
export interface Answers {
  /** of all test images, as they are */
  readonly clean: Int32Array
  /** which test images the attack wants taken for something else than their class */
  readonly attacked: Int32Array
  /** of these, triggered */
  readonly triggered: Int32Array
  /** of these, with each trigger by itself, for attacks with several */
  readonly single: Readonly<Record<string, Int32Array>>
}

interface Measuring {
  readonly attack: Crafted
  readonly device: string
  /** the images' class by each of the model's, where they differ */
  readonly classOf?: Int32Array
}

/** Measures a classifier on trusted test images. */
export async function evaluate(model: Classifier, test: ImageSet, measuring: Measuring): Promise<Evaluation> {
  return figuresOf(await answersOf(model, test, measuring), test, measuring.attack)
}

/** What a classifier says of trusted test images, and of the same with the trigger. */
export async function answersOf(
  model: Classifier,
  test: ImageSet,
  { attack, device, classOf }: Measuring,
): Promise<Answers> {
  const classified = async (images: ImageSet) => {
    const classes = await classify(model, images, device)
    return classOf ? classes.map((k) => classOf[k] as number) : classes
  }
  const clean = await classified(test)
  const attacked = Int32Array.from(test.labels.keys()).filter(
    (i) => attack.label(test.labels[i] as number) !== test.labels[i],
  )
  const chosen = subset(test, attacked)
  const takenFor = async (trigger: Trigger) =>
    attacked.length > 0 ? await classified(triggered(chosen, { trigger })) : new Int32Array()
  const single: Record<string, Int32Array> = {}
  const taken = await takenFor(attack.trigger)
  for (const [name, trigger] of Object.entries(attack.single ?? {})) single[name] = await takenFor(trigger)
  return { clean, attacked, triggered: taken, single }
}

/** CA, ASR and RA of such answers. */
export function figuresOf({ clean, attacked, ...taken }: Answers, test: ImageSet, attack: Crafted): Evaluation {
  const right = shares(test.labels, (i) => clean[i] === test.labels[i])
  const classes = test.classes.map((_, k) =>
    shares(
      test.labels,
      (i) => clean[i] === k,
      (i) => test.labels[i] === k,
    ),
  )
  const largest = (labels: Int32Array) =>
    Math.max(...test.classes.map((_, k) => shares(labels, (i) => labels[i] === k) ?? 0))

  const truth = attacked.map((i) => test.labels[i] as number)
  const success = (answers: Int32Array) =>
    shares(truth, (i) => {
      const wanted = attack.label(truth[i] as number)
      return wanted === null ? answers[i] !== truth[i] : answers[i] === wanted
    })
  const successOf = Object.entries(taken.single).map(([name, answers]) => [name, success(answers)] as const)
  return {
    cleanAccuracy: right ?? 0,
    cleanAccuracyPerClass: classes,
    attackSuccessRate: success(taken.triggered),
    attackSuccessRateOf: Object.fromEntries(successOf),
    recoveredAccuracy: shares(truth, (i) => taken.triggered[i] === truth[i]),
    cleanImages: test.labels.length,
    triggeredImages: attacked.length,
    collapsed: largest(clean) > 0.6 && largest(test.labels) <= 0.6,
  }
}

/** How well a suspicion finds the poison. Positives are all triggered and relabelled images, or only those whose label changed. */
export interface SuspicionQuality extends Findings {
  readonly auroc: number | null
  /** with poisoned images that had the target's label already left out */
  readonly aurocRelabelled: number | null
  /** true positive rate: share of the poisoned images that are flagged */
  readonly truePositiveRate: number | null
  /** false positive rate: share of the other images that are flagged */
  readonly falsePositiveRate: number | null
}

export function evaluateSuspicion(suspicion: Suspicion, truth: Truth, labels: Int32Array): SuspicionQuality {
  const { score, threshold } = suspicion
  const poisoned = new Set(truth.poisoned)
  const isPoisoned = (i: number) => poisoned.has(i)
  const changed = (i: number) => labels[i] !== truth.originalLabels[i]
  const suspect = (i: number) => (score[i] as number) > threshold
  return {
    auroc: auroc(score, isPoisoned),
    aurocRelabelled: auroc(score, isPoisoned, (i) => !isPoisoned(i) || changed(i)),
    truePositiveRate: shares(score, suspect, isPoisoned),
    falsePositiveRate: shares(score, suspect, (i) => !isPoisoned(i)),
    ...findings(suspicion, labels),
  }
}

/** The class that a model gives each image. */
export function classify(model: Classifier, set: ImageSet, device: string): Promise<Int32Array> {
  return withLoader(set, device, (images) => predict(model, images))
}

/** The probability that a model gives the label of each image. */
export function probabilitiesOfLabels(model: Classifier, set: ImageSet, device: string): Promise<Float32Array> {
  return withLoader(set, device, (images) =>
    scoreEach(model, images, ({ logits }, labels) => logits.softmax(1).gather(1, labels.unsqueeze(1)).squeeze(1)),
  )
}

async function withLoader<T>(set: ImageSet, device: string, use: (images: Loader) => Promise<T>): Promise<T> {
  const images = loader(set, device)
  try {
    return await use(images)
  } finally {
    images.free()
  }
}

function shares(
  over: ArrayLike<number>,
  holds: (i: number) => boolean,
  counted: (i: number) => boolean = () => true,
): number | null {
  let count = 0
  let held = 0
  for (let i = 0; i < over.length; i++) {
    if (!counted(i)) continue
    count++
    if (holds(i)) held++
  }
  return count > 0 ? held / count : null
}
