import type { Classifier } from '../nn/classifier.ts'
import type { Schedule } from '../nn/schedule.ts'
import type { Compute } from '../tensor/device.ts'
import type { Random } from '../tensor/random.ts'
import type { Augmentation } from './augment.ts'
import type { Loader } from './loader.ts'
import type { Batch, StageOptions } from './stage.ts'

/** How the run wants a network trained; a method may deviate where it says so. */
export interface Recipe {
  readonly epochs: number
  readonly batch: number
  /** base learning rate */
  readonly rate: number
  readonly schedule: Schedule
  /** what the run's model is trained by */
  readonly optimizer: 'sgd' | 'adamw'
  /** the model's share of a rate that is stated for SGD on a residual network, for methods with rates of their own */
  readonly rateShare: number
  /** of SGD */
  readonly momentum: number
  readonly weightDecay: number
  /** of SGD */
  readonly nesterov: boolean
  readonly augmentation: Augmentation
}

/** What it takes to train networks on a set of images, for defenses and for attacks that learn. */
export interface TrainingContext {
  /** the images, labels as given, on the device */
  readonly images: Loader
  readonly classes: readonly string[]
  readonly recipe: Recipe
  readonly compute: Compute
  readonly random: Random
  /** a fresh network; the name seeds its weights. `normalized` false: it takes pixels as they are */
  model(name: string, options?: { normalized?: boolean }): Classifier
  /** the batches of a stage of training: skipped, resumed and saved as the run demands */
  stage(name: string, options: StageOptions): AsyncIterable<Batch>
  /**
   * Lets signals and timers in, for long work between stages, and ends a run that was asked to stop; what stages did is saved,
   * the work between them is done again.
   */
  pause(): Promise<void>
}
