import { setImmediate } from 'node:timers/promises'
import { UserError } from '../errors.ts'
import type { Stateful } from '../nn/module.ts'
import type { Random } from '../tensor/random.ts'
import { keep, scope } from '../tensor/scope.ts'
import { noGrad, type Tensor } from '../tensor/tensor.ts'
import { type Augmentation, drawAugmentation } from './augment.ts'
import { balance } from './balance.ts'
import type { Checkpoints, Position } from './checkpoint.ts'
import { type Loader, slices } from './loader.ts'
import { type Passes, passes } from './passes.ts'
import type { Reporter } from './reporter.ts'
import { makeSums, type Reported, type Sums } from './sums.ts'

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
  /** Numbers to average over the epoch, for the progress line and the metrics; tensors are not waited for. */
  report(values: Reported): void
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
   * The labels as frequent as they are, also where the run balances them: for a stage that does not learn labels but looks at images,
   * contrasts them or unlearns. In a balanced epoch an image may come more than once.
   */
  readonly asFrequent?: boolean
  /**
   * In place of `only` and `ordered`: epochs of so many full batches, over and over from images that may change: asked for when an epoch begins, and again
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
  /** Averages of what was reported, this epoch; waits for the device. */
  values(): Readonly<Record<string, number>>
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
  /** an epoch shows every label equally often, as labels are given; an epoch is as long as it would be */
  readonly balanced?: boolean
  readonly reporter: Reporter
}

/**
 * The batches of a stage of training, epoch by epoch in seeded random order. Being what a loop iterates over, it makes
 * the loop resumable: a stage finished before is skipped, one broken off goes on at its next batch, both with `state`
 * restored; it saves when due and when the run is asked to stop.
 */
export async function* stage(context: StageContext, name: string, options: StageOptions): AsyncGenerator<Batch> {
  const { only, ordered, repeated } = options
  if (repeated && (only || ordered))
    throw new Error(
      `Cannot begin the stage '${name}': 'repeated' chooses the images itself; leave out 'only' and 'ordered'`,
    )
  const start = context.checkpoints.restore(name, options.state) ?? beginning(options)
  if (start.finished) return
  const sums = makeSums(name, start.sums)
  try {
    yield* batchesFrom(start, sums, { context, name, ...options })
  } finally {
    sums.free()
  }
}

const beginning = ({ epochs }: StageOptions): Position => ({ epoch: 0, batch: 0, finished: epochs === 0, sums: {} })

async function* batchesFrom(
  start: Position,
  sums: Sums,
  stage: StageOptions & { readonly context: StageContext; readonly name: string },
): AsyncGenerator<Batch> {
  const { context, name, epochs, batch: size, augmentation, only, ordered = false, repeated, state } = stage
  const { loader, checkpoints } = context
  const balanced = (context.balanced ?? false) && !ordered && !stage.asFrequent
  const count = repeated ? repeated.batches * size : (only?.length ?? loader.count)
  const batches = Math.ceil(count / size)
  const draw = (random: Random) => {
    const [, height, width] = loader.shape
    return drawAugmentation(random, augmentation, loader.count, [height, width])
  }
  const began = performance.now()
  let imagesSeen = 0
  let saved = began
  const save = (position: Omit<Position, 'sums'>) => {
    sums.averages() // which notices that training has diverged, before anything is saved
    requireFinite(name, state)
    checkpoints.save(name, state, { ...position, sums: sums.read() })
    saved = performance.now()
  }
  for (let epoch = start.epoch; epoch < epochs; epoch++) {
    const epochBegan = performance.now() - 1000 * (epoch === start.epoch ? (start.seconds ?? 0) : 0)
    const seconds = () => (performance.now() - epochBegan) / 1000
    const random = context.random.fork(`${name} epoch ${epoch}`)
    const shown = (list: Int32Array) =>
      balanced ? balance(list, { labels: loader.labels, random: random.fork('balance') }) : list
    const { at } = repeated
      ? passes(random.fork('passes'), shown(repeated.from(epoch)), { batch: size, draw })
      : once(random, { list: shown(only ?? all(count)), ordered, batch: size, draw })
    for (let b = epoch === start.epoch ? start.batch : 0; b < batches; b++) {
      const { indices, places, draws: own } = at(b)
      const draws = balanced ? { ...own, of: places } : own // an image that comes again is cropped and mirrored anew
      if (b + 1 < batches) loader.ahead(() => at(b + 1).indices)
      const made: Partial<Record<'images' | 'labels', Tensor>> = {}
      try {
        yield {
          get images() {
            const images = made.images ?? keep(loader.images(indices, draws))
            made.images = images
            return images
          },
          get labels() {
            const labels = made.labels ?? keep(loader.labelsOf(indices))
            made.labels = labels
            return labels
          },
          indices,
          epoch,
          step: epoch * batches + b,
          steps: epochs * batches,
          last: b + 1 === batches,
          report: (values) => sums.add(values, indices.length),
        }
      } finally {
        made.images?.free()
        made.labels?.free()
      }
      imagesSeen += indices.length
      const elapsed = (performance.now() - began) / 1000
      const left = (epochs - epoch) * count - Math.min((b + 1) * size, count)
      context.reporter.progress({
        stage: name,
        epoch,
        epochs,
        batch: b + 1,
        batches,
        values: sums.averages,
        imagesPerSecond: imagesSeen / elapsed,
        secondsLeft: (left * elapsed) / imagesSeen,
      })
      const interrupted = context.reporter.interrupted()
      if (b + 1 < batches && (interrupted || performance.now() - saved > context.secondsBetweenCheckpoints * 1000)) {
        save({ epoch, batch: b + 1, finished: false, seconds: seconds() })
        if (interrupted) throw stopped()
      }
      await setImmediate() // lets signals and timers in
    }
    context.reporter.epoch({ stage: name, epoch, ...sums.averages(), seconds: seconds() })
    sums.clear()
    const finished = epoch + 1 === epochs
    const interrupted = context.reporter.interrupted()
    if (finished || interrupted || performance.now() - saved > context.secondsBetweenCheckpoints * 1000) {
      save({ epoch: epoch + 1, batch: 0, finished })
      if (interrupted) throw stopped()
    }
  }
}

/** The batches of one pass over a list of images, the last one smaller where it must be. */
function once<T>(
  random: Random,
  { list, ordered, batch, draw }: { list: Int32Array; ordered: boolean; batch: number; draw: (random: Random) => T },
): Passes<T> {
  const order = ordered
    ? list
    : random
        .fork('order')
        .permutation(list.length)
        .map((place) => list[place] as number)
  const [images, places] = [slices(order, batch), slices(all(list.length), batch)]
  const draws = draw(random.fork('augmentation'))
  return { at: (b) => ({ indices: images[b] as Int32Array, places: places[b] as Int32Array, draws }) }
}

const all = (count: number) => Int32Array.from({ length: count }, (_, i) => i)

/** Ends a run that was asked to stop. */
export const stopped = () => new UserError('saved', 'Stopped on request; everything is saved')

/** Weights that are not finite are never saved: a gradient can overflow under a loss that does not. */
function requireFinite(stage: string, state: Readonly<Record<string, Stateful>>): void {
  for (const [name, { tensors }] of Object.entries(state)) {
    for (const [key, tensor] of Object.entries(tensors)) {
      if (scope(() => noGrad(() => Number.isFinite(tensor.to({ dtype: 'float32' }).sum().item())))) continue
      const facts = `'${key}' of '${name}' in '${stage}' holds numbers that are not finite`
      throw new UserError('diverged', `Training diverged: ${facts}; try a lower learning rate, or another --seed`)
    }
  }
}
