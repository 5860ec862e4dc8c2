import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Truth } from '../experiment/prepare/poison.ts'
import type { RunFolder } from '../experiment/store/run-folder.ts'
import { writeAtomically } from '../files.ts'
import { formatSafetensors } from '../tensor/safetensors.ts'
import { type ImageSet, subset } from '../training/images.ts'
import { rowReader } from '../training/rows.ts'
import type { Suspicion } from '../training/suspicion.ts'
import type { AskedModel } from './asked-model.ts'
import { chooseSuspects } from './choose.ts'
import { type Confusion, type Facts, factsSchema, kept, type Picture, type TriggeredPicture } from './facts.ts'
import { keepCommon, type WritePicture } from './keep-common.ts'
import { lookAlikes } from './look-alikes.ts'
import { png } from './png.ts'

/** so many of the strongest suspects get a look-alike */
const paired = 8

/** What a run knows at its end that a report shows. */
export interface ToKeep {
  /** the images that were searched, as they were trained on */
  readonly images: ImageSet
  readonly suspicion: Suspicion | undefined
  /** absent where no model was trained */
  readonly model?: AskedModel
  /** of an experiment */
  readonly truth?: Truth
  readonly confusions?: readonly Confusion[]
  readonly trigger?: readonly ShownTrigger[]
}

/** A test image without and with the trigger, as rows of bytes. */
export interface ShownTrigger extends Pick<TriggeredPicture, 'label' | 'wanted' | 'answer' | 'answerTriggered'> {
  readonly clean: Uint8Array
  readonly triggered: Uint8Array
}

/** Writes down what the run's report is drawn from: facts, scores, and the pictures that it shows. Returns the facts. */
export async function keepForReport(
  { file }: Pick<RunFolder, 'file'>,
  { images, suspicion, model, truth, confusions = [], trigger = [] }: ToKeep,
): Promise<Facts> {
  const folder = file(kept.pictures)
  rmSync(folder, { recursive: true, force: true }) // of a try that was broken off
  mkdirSync(folder)
  const write: WritePicture = async (name, row, shape = images.shape) => {
    writeAtomically(join(folder, name), await png(row, shape))
    return name
  }
  const flagged = (i: number) => suspicion !== undefined && (suspicion.score[i] as number) > suspicion.threshold
  const gallery = suspicion ? await suspects(suspicion) : noSuspects
  const [, height, width] = images.shape
  const facts: Facts = factsSchema.parse({
    version: 1,
    classes: images.classes,
    size: [height, width],
    threshold: suspicion && Number.isFinite(suspicion.threshold) ? suspicion.threshold : null,
    perClass: countsOf(images, flagged),
    ...gallery,
    common: suspicion ? await keepCommon(images, suspicion, { model, write }) : null,
    trigger: await Promise.all(trigger.map(triggerPicture)),
    confusions,
  })
  if (suspicion) writeAtomically(file(kept.scores), scoresOf(images, suspicion, truth))
  writeAtomically(file(kept.facts), `${JSON.stringify(facts)}\n`) // last: with it the others are whole
  return facts

  async function suspects(found: Suspicion): Promise<Gallery> {
    const { strongest, sample, above, below } = chooseSuspects(found)
    const pairs = lookAlikes(images, strongest.slice(0, paired), flagged)
    const lists = [strongest, sample, above, below]
    const others = pairs.flatMap(({ suspect, other }) => [suspect, other])
    const shown = Int32Array.from(new Set([...lists.flatMap((list) => [...list]), ...others]))
    const given = await model?.answers(subset(images, shown))
    const read = rowReader(images.rows)
    const pictures = new Map<number, Picture>()
    for (const [k, i] of shown.entries()) {
      pictures.set(i, {
        file: await write(`image-${i}.png`, read(i)),
        name: images.names[i] as string,
        label: images.labels[i] as number,
        score: Number.isFinite(found.score[i]) ? (found.score[i] as number) : null,
        flagged: flagged(i),
        answer: given?.[k] ?? null,
        truth: truth ? truthOf(truth, i) : null,
        originalLabel: truth?.originalLabels[i] ?? null,
      })
    }
    const picture = (i: number) => pictures.get(i) as Picture
    const [first, second, third, fourth] = lists.map((list) => Array.from(list, picture)) as Four
    return {
      strongest: first,
      sample: second,
      above: third,
      below: fourth,
      alike: pairs.map(({ suspect, other }) => ({ suspect: picture(suspect), other: picture(other) })),
    }
  }

  async function triggerPicture(shown: ShownTrigger, k: number): Promise<TriggeredPicture> {
    const { clean, triggered, ...rest } = shown
    const residual = clean.map((pixel, i) => Math.max(0, Math.min(255, 128 + 8 * ((triggered[i] as number) - pixel))))
    return {
      ...rest,
      clean: await write(`test-${k}-clean.png`, clean),
      triggered: await write(`test-${k}-triggered.png`, triggered),
      residual: await write(`test-${k}-residual.png`, residual),
    }
  }
}

type Gallery = Pick<Facts, 'strongest' | 'sample' | 'above' | 'below' | 'alike'>
type Four = [Picture[], Picture[], Picture[], Picture[]]
const noSuspects: Gallery = { strongest: [], sample: [], above: [], below: [], alike: [] }

function truthOf({ poisoned, covers }: Truth, image: number): Picture['truth'] {
  if (poisoned.includes(image)) return 'poisoned'
  return covers.includes(image) ? 'cover' : 'clean'
}

function countsOf({ labels, classes }: ImageSet, flagged: (image: number) => boolean): Facts['perClass'] {
  const counts = classes.map(() => ({ images: 0, flagged: 0 }))
  for (const [i, label] of labels.entries()) {
    const count = counts[label] as { images: number; flagged: number }
    count.images++
    if (flagged(i)) count.flagged++
  }
  return counts
}

function scoresOf({ labels }: ImageSet, { score }: Suspicion, truth: Truth | undefined): Uint8Array[] {
  const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | Int32Array) =>
    new Uint8Array(buffer, byteOffset, byteLength)
  const shape = [labels.length]
  const marks = new Uint8Array(labels.length)
  for (const i of truth?.poisoned ?? []) marks[i] = 1
  for (const i of truth?.covers ?? []) marks[i] = 2
  return formatSafetensors({
    tensors: [
      ['score', { dtype: 'float32', shape, bytes: bytesOf(score) }],
      ['label', { dtype: 'int32', shape, bytes: bytesOf(labels) }],
      ...(truth ? ([['truth', { dtype: 'uint8', shape, bytes: marks }]] as const) : []),
    ],
  })
}

/** How often images of a label get an answer. */
export function confusionOf(of: Confusion['of'], labels: Int32Array, answers: Int32Array): Confusion {
  const counts = new Map<string, [number, number, number]>()
  for (const [i, label] of labels.entries()) {
    const answer = answers[i] as number
    const entry = counts.get(`${label} ${answer}`) ?? [label, answer, 0]
    entry[2]++
    counts.set(`${label} ${answer}`, entry)
  }
  return { of, counts: [...counts.values()] }
}
