import { z } from 'zod'
import { verdicts } from '../../training/suspicion.ts'

// What a finished run leaves, in its directory and as a record: declared here, checked when it is written and when it is
// read. A field that is added, renamed or means something else makes a new version, with its migration in older-records.ts.

/** The version of the results that this program writes. */
export const resultVersion = 2

const share = z.number().min(0).max(1)
const figures = z.strictObject({
  cleanAccuracy: share,
  attackSuccessRate: share.nullable(),
  collapsed: z.boolean(),
  seconds: z.number().nullable().describe('of training, where it was done in one piece'),
})

/** What a result depends on besides its configuration. */
const environment = z.looseObject({
  device: z.string(),
  precision: z.enum(['fp32', 'bf16']),
  threads: z.int(),
  engine: z.int().describe('version of the numerics'),
  libtorch: z.string(),
  processor: z.string(),
  deconfound: z.string(),
  commit: z.string().nullable().describe('of the program'),
  trainHash: z.string().describe('SHA-256 of the training images as given'),
  testHash: z.string().nullable(),
})

const findings = {
  verdict: z.enum(verdicts),
  flagged: z.int().min(0).describe('images flagged'),
  estimatedRate: share.nullable().describe('of poisoning; null where the method estimates none'),
  estimatedTarget: z.int().nullable(),
  remarks: z.array(z.string()).readonly(),
}
const suspicionQuality = z.strictObject({
  ...findings,
  auroc: share.nullable(),
  aurocRelabelled: share.nullable().describe('without poisoned images that had the target label before'),
  truePositiveRate: share.nullable().describe('true positive rate'),
  falsePositiveRate: share.nullable().describe('false positive rate'),
})

const skippedFiles = z.array(z.strictObject({ file: z.string(), reason: z.string() }))

const beginning = z
  .strictObject({
    hash: z.string(),
    source: z.string(),
    taken: z.int().describe('tensors that networks began with'),
    newHead: z.string().nullable().describe('why the last layer was not among them'),
    unknown: z.array(z.string()).readonly().describe('names in the file that the model does not have'),
  })
  .optional()
  .describe('weights that networks began with; absent where they began fresh')

/** The result of an experiment with known truth. */
export const experimentSchema = z.strictObject({
  version: z.literal(resultVersion),
  run: z.string(),
  // what was run
  dataset: z.string(),
  attack: z.string(),
  defense: z.string(),
  preset: z.string(),
  model: z.string(),
  epochs: z.int(),
  seed: z.int(),
  target: z.int(),
  // what was poisoned
  rate: share.describe('poisoned / all training images'),
  classRate: share.nullable().describe('instead: poisoned / images of the target class, as asked for'),
  labelling: z.string(),
  attackOptions: z.record(z.string(), z.unknown()).readonly(),
  attackReport: z.record(z.string(), z.record(z.string(), z.number()).readonly()).readonly(),
  poisonedImages: z.int(),
  coverImages: z.int(),
  poisonHash: z.string(),
  trigger: z.string(),
  skippedFiles: skippedFiles.optional().describe('absent in records of version 1, which did not say'),
  cleanImagesGiven: z.int(),
  // how the model does
  cleanAccuracy: share,
  cleanAccuracyPerClass: z.array(share.nullable()).readonly(),
  attackSuccessRate: share.nullable(),
  attackSuccessRateOf: z.record(z.string(), share.nullable()).readonly(),
  recoveredAccuracy: share.nullable(),
  cleanImages: z.int(),
  triggeredImages: z.int(),
  collapsed: z.boolean(),
  suspicion: suspicionQuality.nullable(),
  // what it is compared with
  backdoored: figures.nullable().describe('the model before a repair'),
  reference: figures.nullable().describe('training on the clean images'),
  excessSuccessRate: z.number().nullable().describe('ASR less that of the reference'),
  // how it was computed
  beginning,
  modelHash: z.string(),
  trainingSeconds: z.number().nullable().describe('null for a resumed run, of which the last part alone was timed'),
  seconds: z.number(),
  resumed: z.boolean(),
  environment,
  files: z.strictObject({ report: z.string() }).optional().describe('absent in records, and in older results'),
})

/** The result of training on a person's own folder, where no truth is known. */
export const trainingSchema = z.strictObject({
  version: z.literal(resultVersion),
  run: z.string(),
  data: z.string().nullable(),
  defense: z.string(),
  preset: z.string(),
  model: z.string(),
  epochs: z.int(),
  seed: z.int(),
  classes: z.array(z.string()).readonly(),
  trainingImages: z.int(),
  skippedFiles,
  heldOutImages: z.int(),
  heldOutAgreement: share
    .nullable()
    .describe('share of held-out images, labels untrusted, that are classified as labelled'),
  testImages: z.int().default(0).describe('images of the folder that are no training images'),
  testAgreement: share.nullable().default(null).describe('share of them that are classified as labelled'),
  suspicion: z.strictObject(findings).nullable(),
  files: z.strictObject({
    model: z.string(),
    suspects: z.string().nullable(),
    picture: z.string().nullable().optional().describe('of the images with the highest scores'),
    report: z.string().optional().describe('absent in older results'),
  }),
  beginning,
  modelHash: z.string(),
  seconds: z.number(),
  environment,
})

/** The result of searching a person's own folder without training a model. */
export const auditSchema = z.strictObject({
  version: z.literal(resultVersion),
  run: z.string(),
  verdict: z.enum(verdicts),
  flagged: z.int().min(0).describe('images flagged'),
  flaggedShare: share.describe('of the images that were searched'),
  flaggedLabel: z.string().nullable().describe('that more than half of the flagged images carry'),
  data: z.string().nullable(),
  defense: z.string(),
  preset: z.string(),
  seed: z.int(),
  classes: z.array(z.string()).readonly(),
  trainingImages: z.int().describe('images that were searched'),
  skippedFiles,
  heldOutImages: z.int(),
  suspicion: z.strictObject(findings),
  files: z.strictObject({
    suspects: z.string(),
    suspectsLines: z.string().describe('the same as JSON lines'),
    picture: z.string(),
    report: z.string(),
  }),
  seconds: z.number(),
  environment,
})

/** The result of repairing a model with clean images, where it is not known whether there was anything to repair. */
export const repairSchema = z.strictObject({
  version: z.literal(resultVersion),
  run: z.string(),
  given: z.string().describe('file of the model that was repaired'),
  givenHash: z.string(),
  data: z.string().describe('where the clean images are'),
  defense: z.string(),
  preset: z.string(),
  model: z.string(),
  seed: z.int(),
  classes: z.array(z.string()).readonly(),
  cleanImages: z.int().describe('that the defense was given'),
  heldOutImages: z.int().describe('clean images that were measured on'),
  accuracyBefore: share.nullable().describe('on them; null where there are none'),
  accuracyAfter: share.nullable(),
  remarks: z.array(z.string()).readonly().describe('what cannot be known'),
  skippedFiles,
  files: z.strictObject({ model: z.string(), before: z.string() }),
  modelHash: z.string(),
  seconds: z.number(),
  environment,
})

export type AuditResult = z.output<typeof auditSchema>
export type RepairResult = z.output<typeof repairSchema>
export type ExperimentResult = z.output<typeof experimentSchema>
export type TrainingResult = z.output<typeof trainingSchema>
/** Figures of a model that was trained plainly. */
export type PlainFigures = z.output<typeof figures>
