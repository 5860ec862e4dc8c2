import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../errors.ts'
import { parseSafetensors } from '../tensor/safetensors.ts'

// What a run keeps for its report besides its result: `report.json`, `pictures/` and `scores.safetensors`. A report is drawn
// from these files alone, so that it can be drawn again without the data and without training.

const count = z.int().min(0)
/** A file in `pictures/`. */
const file = z.string().regex(/^[\w-]+\.png$/)

const picture = z.strictObject({
  file,
  name: z.string().describe('as the data set names the image'),
  label: count,
  score: z.number().nullable().describe('null where it is not finite'),
  flagged: z.boolean(),
  answer: count.nullable().describe("the model's class for it; null where no model was trained"),
  truth: z.enum(['poisoned', 'cover', 'clean']).nullable().describe('null where nothing is known'),
  originalLabel: count.nullable(),
})

const patch = z.strictObject({
  file: file.describe('median of the flagged images there'),
  top: count,
  left: count,
  height: count,
  width: count,
  flagged: count.describe('flagged images, of any label, that carry the patch'),
  unflagged: count.describe('unflagged images that do'),
})

const occlusion = z.strictObject({
  probability: z.number().describe("mean probability of the images' label, nothing covered"),
  side: count.describe('of the square that covers, pixels'),
  images: count.describe('images that were covered'),
  shown: z
    .strictObject({
      file: file.describe('drop of the probability in red, over the mean of the flagged'),
      largest: z.number().describe('drop of the probability where it is largest'),
      place: z.string().describe('where it is largest, in words'),
    })
    .nullable()
    .describe('null where no place stands out'),
})

const common = z.strictObject({
  label: count.describe('that most flagged images carry'),
  flagged: count.describe('flagged images that the mean is over'),
  others: count.describe('unflagged images of the label that the mean is over'),
  means: z.strictObject({ flagged: file, others: file }),
  difference: file.describe('mean of the flagged less that of the others of the label, around middle gray'),
  differenceToAll: file.describe('the same less the mean of unflagged images of all labels'),
  factor: z.number().positive().describe('that the differences are enlarged by'),
  place: z.string().nullable().describe('where most of the difference lies, in words; null where it is spread'),
  patches: z
    .strictObject({ all: z.array(patch), marked: file.nullable().describe('their places in the mean of the flagged') })
    .nullable()
    .default(null)
    .describe('null in runs that looked for none'),
  occlusion: occlusion
    .nullable()
    .default(null)
    .describe('null where no model was trained, and in runs that looked for none'),
})

const triggered = z.strictObject({
  clean: file,
  triggered: file,
  residual: file,
  label: count,
  wanted: count.nullable().describe('class that the attack wants it taken for; null for any but its own'),
  answer: count,
  answerTriggered: count,
})

const confusion = z.strictObject({
  of: z.enum(['test', 'triggered', 'held-out']),
  counts: z.array(z.tuple([count, count, count])).describe('label, answer, images'),
})

export const factsSchema = z.strictObject({
  version: z.literal(1),
  classes: z.array(z.string()),
  size: z.tuple([count, count]).describe('height and width of the images, pixels'),
  threshold: z.number().nullable().describe('null where no image is above it'),
  perClass: z.array(z.strictObject({ images: count, flagged: count })),
  strongest: z.array(picture),
  sample: z.array(picture).describe('random among the flagged'),
  above: z.array(picture).describe('flagged, with the lowest scores'),
  below: z.array(picture).describe('not flagged, with the highest scores'),
  alike: z.array(z.strictObject({ suspect: picture, other: picture })),
  common: common.nullable(),
  trigger: z.array(triggered),
  confusions: z.array(confusion),
})

export type Facts = z.output<typeof factsSchema>
export type Picture = z.output<typeof picture>
export type Common = z.output<typeof common>
export type Occlusion = z.output<typeof occlusion>
export type TriggeredPicture = z.output<typeof triggered>
export type Confusion = z.output<typeof confusion>

/** Names of what a run keeps for its report. */
export const kept = {
  facts: 'report.json',
  scores: 'scores.safetensors',
  pictures: 'pictures',
  figures: 'figures',
  report: 'report.html',
} as const

/** The facts of a run; null where it keeps none, a UserError where they are damaged. */
export function readFacts(run: string): Facts | null {
  const path = join(run, kept.facts)
  if (!existsSync(path)) return null
  try {
    return factsSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch (error) {
    const facts = error instanceof z.ZodError ? z.prettifyError(error).split('\n')[0] : (error as Error).message
    throw new UserError('data', `Cannot read '${path}': ${facts}; restore the file, or train again`)
  }
}

/** Scores of all images that were searched, in the order of training. */
export interface Scores {
  readonly score: Float32Array
  readonly label: Int32Array
  /** 1 for poisoned, 2 for covers, 0 for the others; null where nothing is known */
  readonly truth: Uint8Array | null
}

/** The scores of a run; null where it has none. */
export function readScores(run: string): Scores | null {
  const path = join(run, kept.scores)
  if (!existsSync(path)) return null
  const { tensors } = parseSafetensors(readFileSync(path), `'${path}'`)
  const bytesOf = (name: string) => {
    const found = tensors.get(name)
    return found ? new Uint8Array(found.bytes) : null // a copy, which is aligned
  }
  const [score, label, truth] = ['score', 'label', 'truth'].map(bytesOf)
  if (!score || !label) throw new UserError('data', `Cannot read '${path}': it holds no scores; restore the file`)
  return { score: new Float32Array(score.buffer), label: new Int32Array(label.buffer), truth: truth ?? null }
}
