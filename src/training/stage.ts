import { setImmediate } from 'node:timers/promises'
import { UserError } from '../errors.ts'
import type { Stateful } from '../nn/module.ts'
import type { Random } from '../tensor/random.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type Augmentation, drawAugmentation } from './augment.ts'
import type { Checkpoints, Position } from './checkpoint.ts'
import { type Loader, slices } from './loader.ts'
import { type Passes, passes } from './passes.ts'

/** One step's worth of a stage. */
export interface Batch {
  /** float32 in [0, 1], [batch, channels, height, width] */
  readonly images: Tensor
  /** int64 [batch], as given */
  readonly labels: Tensor
  /** which images these are */
  readonly indices: Int32Array
  readonly epoch: number
  /** counts from 0 over the whole stage, up to `steps` */
  readonly step: number
  readonly steps: number
  /** whether this is the epoch's last */
  readonly last: boolean
  /** Numbers to average over the epoch, for the progress line and the metrics. */
  report(values: Readonly<Record<string, number>>): void
}

export interface StageOptions {
  readonly epochs: number
  readonly batch: number
  readonly augmentation: Augmentation
  /** which images to train on; all where absent */
  readonly only?: Int32Array
  /** in the images' own order, to look at them and not to learn; a random one where absent */
  readonly ordered?: boolean
  /**
   * Epochs of so many full batches, over and over from images that may change: asked for when an epoch begins, and again
   * where one is resumed, so that the answer must follow from the epoch's number and from what of `state` changes at its end only.
   */
  readonly repeated?: { readonly batches: number; readonly from: (epoch: number) => Int32Array }
  /** everything the loop changes: what is not named here is not restored */
  readonly state: Readonly<Record<string, Stateful>>
}

/** Where a stage is, for whoever shows it. */
export interface Progress {
  readonly stage: string
  readonly epoch: number
  readonly epochs: number
  readonly batch: number
  readonly batches: number
  /** since this process began the stage */
  readonly imagesPerSecond: number
  readonly secondsLeft: number
  /** averages of what was reported, this epoch */
  readonly values: Readonly<Record<string, number>>
}

/** Metrics of a finished epoch. */
export interface EpochMetrics {
  readonly stage: string
  readonly epoch: number
  readonly seconds: number
  readonly [name: string]: number | string
}

/** What stages need from the run around them. */
export interface StageContext {
  readonly loader: Loader
  readonly random: Random
  readonly checkpoints: Checkpoints
  readonly secondsBetweenCheckpoints: number
  readonly onProgress: (progress: Progress) => void
  readonly onEpoch: (metrics: EpochMetrics) => void
  /** true once the run was asked to stop */
  readonly interrupted: () => boolean
}

/**
 * The batches of a stage of training, epoch by epoch in seeded random order. Being what a loop iterates over, it makes
 * the loop resumable: a stage finished before is skipped, one broken off goes on at its next batch, both with `state`
 * restored; it saves when due and when the run is asked to stop.
 */
export async function* stage(
  context: StageContext,
  name: string,
  { epochs, batch: size, augmentation, only, ordered = false, repeated, state }: StageOptions,
): AsyncGenerator<Batch> {
  const { loader, checkpoints } = context
  const start: Position = checkpoints.restore(name, state) ?? { epoch: 0, batch: 0, finished: epochs === 0, sums: {} }
  if (start.finished) return
  const count = repeated ? repeated.batches * size : (only?.length ?? loader.count)
  const batches = Math.ceil(count / size)
  const draw = (random: Random) => {
    const [, height, width] = loader.shape
    return drawAugmentation(random, augmentation, loader.count, [height, width])
  }
  const began = performance.now()
  let imagesSeen = 0
  let saved = began
  let sums: Record<string, number> = { ...start.sums }

  for (let epoch = start.epoch; epoch < epochs; epoch++) {
    const epochBegan = performance.now() - 1000 * (epoch === start.epoch ? (start.seconds ?? 0) : 0)
    const seconds = () => (performance.now() - epochBegan) / 1000
    const random = context.random.fork(`${name} epoch ${epoch}`)
    const { at } = repeated
      ? passes(random.fork('passes'), repeated.from(epoch), { batch: size, draw })
      : once(random, { count, only, ordered, batch: size, draw })
    for (let b = epoch === start.epoch ? start.batch : 0; b < batches; b++) {
      const { indices, draws } = at(b)
      const images = loader.images(indices, draws)
      const labels = loader.labelsOf(indices)
      const report = (values: Readonly<Record<string, number>>) => {
        sums.images = (sums.images ?? 0) + indices.length
        for (const [key, value] of Object.entries(values)) sums[key] = (sums[key] ?? 0) + value * indices.length
      }
      try {
        yield {
          images,
          labels,
          indices,
          epoch,
          step: epoch * batches + b,
          steps: epochs * batches,
          last: b + 1 === batches,
          report,
        }
      } finally {
        images.free()
        labels.free()
      }
      imagesSeen += indices.length
      const elapsed = (performance.now() - began) / 1000
      const left = (epochs - epoch) * count - Math.min((b + 1) * size, count)
      context.onProgress({
        ...{ stage: name, epoch, epochs, batch: b + 1, batches, values: averages(sums) },
        ...{ imagesPerSecond: imagesSeen / elapsed, secondsLeft: (left * elapsed) / imagesSeen },
      })
      const interrupted = context.interrupted()
      if (b + 1 < batches && (interrupted || performance.now() - saved > context.secondsBetweenCheckpoints * 1000)) {
        checkpoints.save(name, state, { epoch, batch: b + 1, finished: false, sums, seconds: seconds() })
        saved = performance.now()
        if (interrupted) throw new UserError('saved', 'Stopped on request; everything is saved')
      }
      await setImmediate() // lets signals and timers in
    }
    context.onEpoch({ stage: name, epoch, ...averages(sums), seconds: seconds() })
    sums = {}
    const finished = epoch + 1 === epochs
    const interrupted = context.interrupted()
    if (finished || interrupted || performance.now() - saved > context.secondsBetweenCheckpoints * 1000) {
      checkpoints.save(name, state, { epoch: epoch + 1, batch: 0, finished, sums })
      saved = performance.now()
      if (interrupted) throw new UserError('saved', 'Stopped on request; everything is saved')
    }
  }
}

/** The batches of one pass over the images, the last one smaller where it must be. */
function once<T>(
  random: Random,
  {
    count,
    only,
    ordered,
    batch,
    draw,
  }: { count: number; only: Int32Array | undefined; ordered: boolean; batch: number; draw: (random: Random) => T },
): Passes<T> {
  const places = ordered ? Int32Array.from({ length: count }, (_, i) => i) : random.fork('order').permutation(count)
  const order = slices(only ? places.map((i) => only[i] as number) : places, batch)
  const draws = draw(random.fork('augmentation'))
  return { at: (b) => ({ indices: order[b] as Int32Array, draws }) }
}

function averages({ images = 1, ...sums }: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / images]))
}
