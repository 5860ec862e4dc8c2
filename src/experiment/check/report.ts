import { z } from 'zod'
import { checks, type Kind } from './index.ts'

/** Raised when a program that reads reports must be changed. */
export const checkVersion = 1

const named = z.strictObject({
  file: z.string().describe("a path in the data's folder, or the data set's own name for an image"),
  class: z.string().nullable().describe('null for what is not used'),
  split: z.enum(['train', 'test']).nullable(),
})

const item = z.strictObject({
  says: z.string().describe('what is wrong, a phrase'),
  images: z.array(named).readonly().describe('all of them; empty where a whole class is meant'),
  classes: z.array(z.string()).readonly(),
  across: z
    .array(z.enum(['classes', 'splits']))
    .readonly()
    .optional()
    .describe('for copies: they lie in several classes, in training and test images; empty within one class'),
  figures: z
    .record(z.string(), z.union([z.number(), z.string()]))
    .readonly()
    .optional(),
})

const finding = z.strictObject({
  kind: z.enum(Object.keys(checks) as [Kind, ...Kind[]]),
  says: z.string().describe('the sum, a sentence'),
  items: z.array(item).readonly(),
})

/** What `check --json` prints. */
export const reportSchema = z.strictObject({
  version: z.literal(checkVersion),
  data: z.string().nullable(),
  dataset: z.string().describe('the data set of the catalogue that the data were taken for'),
  refused: z.string().nullable().describe('why training would be refused; null where training is possible'),
  trainingImages: z.int().nullable(),
  testImages: z.int().nullable(),
  classes: z.record(z.string(), z.int()).nullable().describe('training images by class'),
  shape: z.array(z.int()).nullable().describe('channels, height, width at which would be trained'),
  findings: z.array(finding).readonly(),
})

export type Report = z.output<typeof reportSchema>
