import type { z } from 'zod'
import type { Classifier } from '../nn/classifier.ts'
import type { Suspicion } from '../training/suspicion.ts'
import type { TrainingContext } from '../training/training-context.ts'

/**
 * Everything a defender may know: no poison mask, no trigger, no target class, and a random stream from which the one
 * that chose the poison cannot be derived.
 */
export interface DefenderView extends TrainingContext {
  /** images that can be trusted, none of them among the others: for a defense that declares that it needs them, else null */
  readonly clean: TrainingContext | null
  /**
   * The model that plain training gives on the untrusted images, which a defense may repair: trained once for all of them.
   * `another` names one of other weights and another order of batches.
   */
  backdoored(another?: string): Promise<Classifier>
  /** a sentence worth a line, for whoever watches the run */
  say(line: string): void
  /** keeps how a network sees a sample of the images, at the beginning and at the end of its training, for whoever draws it */
  portray(name: string, moment: Moment, model: Classifier): Promise<void>
  /** one number per training image at the end of an epoch, for whoever can compare it with the truth */
  trace(name: string, epoch: number, values: Float32Array): void
}

/** When a network is portrayed. */
export type Moment = 'beginning' | 'end'

/** What a defense delivers. */
export interface Defended {
  readonly classifier: Classifier
  readonly suspicion?: Suspicion
}

/** One entry of the catalogue of defenses. */
export interface DefenseEntry<Schema extends z.ZodObject = z.ZodObject> {
  readonly title: string
  readonly paper: string
  /** what it needs besides the untrusted images */
  readonly assumes: 'nothing' | 'clean images'
  readonly options: Schema
  /** what the score of an image is and why poison scores high, in plain words; absent where images get no scores */
  readonly evidence?: string
  /**
   * its stages of training, in order, in plain words; a stage `name-…` is told as `name`, and stages of the same words count as one
   */
  readonly stages: Readonly<Record<string, string>>
  /** named sets of options; the first is the default */
  readonly presets: Readonly<Record<string, Partial<z.input<Schema>>>>
  train(options: z.output<Schema>, view: DefenderView): Promise<Defended>
  /**
   * options by which it repairs a model that is there already, with clean images and none that the model was trained on;
   * absent where it cannot
   */
  readonly repairs?: Partial<z.input<Schema>>
  /** how it searches without training a model; absent where scores come out of that training, or there are none */
  readonly search?: Search<z.output<Schema>>
  /** how settings are compared, for a defense that says which ones to search */
  readonly tuning?: Tuning<z.output<Schema>>
}

/** A search for poison without the training of a model. */
export interface Search<Options> {
  /** those of the entry's stages that the search goes through */
  readonly stages: readonly string[]
  run(options: Options, view: DefenderView): Promise<Suspicion>
}

/** Values of some options, by name. */
export type Setting = Readonly<Record<string, number>>

/** A search over settings of a defense, which may share work between them. */
export interface Tuning<Options> {
  /** the values to be tried, by option; all combinations */
  readonly grid: Readonly<Record<string, readonly number[]>>
  /** Trains a model for every setting that is wanted and hands it over; the model is freed afterwards. */
  train(
    options: Options,
    view: DefenderView,
    search: {
      readonly settings: readonly Setting[]
      /** whether a setting is yet to be tried */
      wanted(setting: Setting): boolean
      tried(candidate: Candidate): Promise<void>
    },
  ): Promise<void>
}

/** A model trained with a setting. */
export interface Candidate {
  readonly setting: Setting
  readonly classifier: Classifier
  /** how far the poison stands apart with this setting, in [0, 1], by a measure that needs no clean images */
  readonly separation: number
}

export function defineDefense<Schema extends z.ZodObject>(entry: DefenseEntry<Schema>): DefenseEntry<Schema> {
  return entry
}
