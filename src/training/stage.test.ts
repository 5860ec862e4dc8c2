import { describe, expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import { UserError } from '../errors.ts'
import type { Stateful } from '../nn/module.ts'
import { Random } from '../tensor/random.ts'
import { keep } from '../tensor/scope.ts'
import { liveTensors, zeros } from '../tensor/tensor.ts'
import { noAugmentation } from './augment.ts'
import { type Checkpoints, noCheckpoints, type Position } from './checkpoint.ts'
import { imageSet } from './images.ts'
import { loader } from './loader.ts'
import { quiet, type Reporter } from './reporter.ts'
import { type EpochMetrics, type Progress, type StageContext, stage } from './stage.ts'

const count = 10
const images = loader(
  imageSet({
    pixels: Uint8Array.from({ length: count * 4 }, (_, i) => i),
    shape: [1, 2, 2],
    labels: Int32Array.from({ length: count }, (_, i) => i % 3),
    classes: ['a', 'b', 'c'],
    names: Array.from({ length: count }, String),
  }),
  device,
)

const context = (more: Partial<Reporter & Omit<StageContext, 'reporter'>> = {}): StageContext => ({
  loader: images,
  random: new Random(1),
  checkpoints: noCheckpoints,
  secondsBetweenCheckpoints: 1000,
  ...more,
  reporter: { ...quiet, ...more },
})
const options = { epochs: 3, batch: 4, augmentation: noAugmentation, state: {} }

/** Checkpoints in memory, and the positions they were made at. */
function memory() {
  const positions: Position[] = []
  const stages = new Map<string, Position>()
  const checkpoints: Checkpoints = {
    save(name, _, position) {
      positions.push(position)
      stages.set(name, JSON.parse(JSON.stringify(position)))
    },
    restore: (name) => stages.get(name),
  }
  return { checkpoints, positions }
}

/** Runs a stage and tells which images each step had. */
async function steps(around: StageContext, { onStep = (_: number) => {}, name = 'a', epochs = 3 } = {}) {
  const seen: { epoch: number; step: number; indices: number[] }[] = []
  for await (const { epoch, step, indices, report } of stage(around, name, { ...options, epochs })) {
    seen.push({ epoch, step, indices: [...indices] })
    report({ loss: step })
    onStep(step)
  }
  return seen
}

describe('a stage', () => {
  it('shows the images in their own order where asked', async () => {
    const seen: number[] = []
    for await (const { indices } of stage(context(), 'a', { ...options, epochs: 2, ordered: true }))
      seen.push(...indices)
    expect(seen).toEqual([0, 1].flatMap(() => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))
  })

  it('shows every label equally often where labels are balanced, each image of a rare one before one comes again', async () => {
    const labels = [0, 0, 0, 0, 0, 0, 0, 0, 1, 2] // of ten images: 8, 1 and 1
    const uneven = { ...images, labels: Int32Array.from(labels) }
    const seen: number[][] = []
    const around = context({ loader: uneven, balanced: true })
    for await (const { epoch, indices } of stage(around, 'a', options))
      seen[epoch] = [...(seen[epoch] ?? []), ...indices]
    for (const order of seen) {
      expect(order.length).toBe(10)
      const counts = [0, 1, 2].map((label) => order.filter((i) => labels[i] === label).length)
      expect([...counts].sort()).toEqual([3, 3, 4])
      const frequent = order.filter((i) => labels[i] === 0)
      expect(new Set(frequent).size).toBe(frequent.length)
    }
    expect(new Set(seen.map(String)).size).toBe(3)
  })

  it('balances only the images it is to learn from, and not those it looks at', async () => {
    const uneven = { ...images, labels: Int32Array.of(0, 0, 0, 0, 0, 0, 0, 1, 1, 2) }
    const around = context({ loader: uneven, balanced: true })
    const shown = async (more: object) => {
      const seen: number[] = []
      for await (const { indices } of stage(around, 'a', { ...options, epochs: 1, ...more })) seen.push(...indices)
      return seen.sort((a, b) => a - b)
    }
    const part = await shown({ only: Int32Array.of(0, 1, 2, 7) })
    expect(part.length).toBe(4)
    expect(part.filter((i) => i === 7)).toEqual([7, 7])
    const everything = Array.from({ length: count }, (_, i) => i)
    for (const more of [{ ordered: true }, { asFrequent: true }]) expect(await shown(more)).toEqual(everything)
    const repeated = { batches: 3, from: () => Int32Array.of(0, 1, 2, 3, 7, 9) }
    const again = await shown({ repeated }) // twelve images: the list of six, balanced, twice
    expect(again.filter((i) => i === 7).length).toBe(4)
    expect(again.filter((i) => i === 9).length).toBe(4)
  })

  it('crops and mirrors an image anew each time it comes in a balanced epoch, and resumes a balanced epoch exactly', async () => {
    const uneven = { ...images, labels: Int32Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 1) }
    const augmentation = { padding: 1, flip: true, cutout: 0 }
    const views = async (around: StageContext, stopAfter = Number.POSITIVE_INFINITY) => {
      const seen: string[] = []
      let batches = 0
      const reporter = { ...quiet, interrupted: () => batches >= stopAfter }
      const run = stage({ ...around, reporter }, 'a', { ...options, epochs: 2, augmentation })
      try {
        for await (const batch of run) {
          batches++
          for (const [row, image] of batch.indices.entries())
            seen.push(`${image}: ${batch.images.select(0, row).numbers()}`)
        }
      } catch (error) {
        expect(error).toBeInstanceOf(UserError)
      }
      return seen
    }
    const around = (more = {}) => context({ loader: uneven, balanced: true, ...more })
    const straight = await views(around())
    const ofRare = straight.slice(0, count).filter((each) => each.startsWith('9:'))
    expect(ofRare.length).toBe(5)
    expect(new Set(ofRare).size).toBeGreaterThan(2)
    const { checkpoints } = memory()
    const first = await views(around({ checkpoints }), 2)
    expect([...first, ...(await views(around({ checkpoints })))]).toEqual(straight)
  })

  it('shows every image once per epoch, in another order each time, the same from the same seed', async () => {
    const seen = await steps(context())
    expect(seen.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
    const orders = [0, 1, 2].map((epoch) =>
      seen.filter((each) => each.epoch === epoch).flatMap(({ indices }) => indices),
    )
    for (const order of orders) expect([...order].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(new Set(orders.map(String)).size).toBe(3)
    expect(await steps(context())).toEqual(seen)
    expect(await steps(context({ random: new Random(2) }))).not.toEqual(seen)
    expect(await steps(context(), { name: 'b' })).not.toEqual(seen)
  })

  it('gives each batch its images and labels, and says where it is', async () => {
    for await (const batch of stage(context(), 'a', options)) {
      const [index] = batch.indices as unknown as [number]
      expect(batch.images.select(0, 0).mul(255).round().numbers()).toEqual([0, 1, 2, 3].map((k) => 4 * index + k))
      expect(batch.labels.numbers()).toEqual(Array.from(batch.indices, (i) => i % 3))
      expect(batch.labels.dtype).toBe('int64')
      expect(batch.steps).toBe(9)
      expect(batch.last).toBe(batch.step % 3 === 2)
      expect(batch.indices.length).toBe(batch.last ? 2 : 4)
    }
  })

  it('averages what is reported over images, not over batches', async () => {
    const epochs: EpochMetrics[] = []
    const seen: Progress[] = []
    const values: Readonly<Record<string, number>>[] = []
    const progress = (each: Progress) => {
      seen.push(each)
      values.push(each.values())
    }
    const around = context({ epoch: (metrics) => void epochs.push(metrics), progress })
    await steps(around)
    expect(epochs.map(({ stage, epoch, loss }) => [stage, epoch, loss])).toEqual([
      ['a', 0, (4 * 0 + 4 * 1 + 2 * 2) / 10],
      ['a', 1, (4 * 3 + 4 * 4 + 2 * 5) / 10],
      ['a', 2, (4 * 6 + 4 * 7 + 2 * 8) / 10],
    ])
    expect(seen.map(({ epoch, batch }) => [epoch, batch])).toEqual(
      [0, 1, 2].flatMap((e) => [1, 2, 3].map((b) => [e, b])),
    )
    expect(values[1]).toEqual({ loss: 0.5 })
    expect(seen.at(-1)?.secondsLeft).toBe(0)
    expect(seen[0]?.secondsLeft).toBeGreaterThan(0)
  })

  it.each([
    ['a loss', { loss: Number.NaN, weight: 1 }],
    ['a weight under a finite loss', { loss: 1, weight: Number.POSITIVE_INFINITY }],
  ])('ends before anything is saved where %s is not finite', async (_, { loss, weight }) => {
    for (const moment of ['at the end of an epoch', 'between', 'when asked to stop']) {
      const { checkpoints, positions } = memory()
      const tensors = { weight: keep(zeros([2], { device })) }
      const around = context({
        checkpoints,
        interrupted: () => moment === 'when asked to stop',
        secondsBetweenCheckpoints: moment === 'between' ? 0 : 1000,
      })
      const run = async () => {
        for await (const { report } of stage(around, 'a', { ...options, state: { network: { tensors } } })) {
          tensors.weight.fill_(weight)
          report({ loss })
        }
      }
      await expect(run()).rejects.toThrow(/^Training diverged: .*'a'.*; try a lower learning rate/)
      await expect(run()).rejects.toMatchObject({ code: 4 })
      expect(positions).toEqual([])
      tensors.weight.free()
    }
  })

  it('saves and stops when asked, and goes on with the very next batch', async () => {
    const straight = await steps(context())
    const epochs: EpochMetrics[] = []
    for (let stop = 0; stop < 8; stop++) {
      const { checkpoints } = memory()
      let stopped = false
      const interrupted = () => stopped
      const first: number[] = []
      const run = steps(context({ checkpoints, interrupted, epoch: (each) => void epochs.push(each) }), {
        onStep(step) {
          first.push(step)
          stopped = step === stop
        },
      })
      await expect(run).rejects.toEqual(new UserError('saved', 'Stopped on request; everything is saved'))
      await expect(run).rejects.toMatchObject({ code: 75 })
      const rest = await steps(context({ checkpoints, epoch: (each) => void epochs.push(each) }))
      expect(first.at(-1)).toBe(stop)
      expect(rest).toEqual(straight.slice(stop + 1))
    }
    // Also the averages of a broken epoch are those of a whole one.
    for (const { epoch, loss } of epochs) expect(loss).toBe([0.8, 3.8, 6.8][epoch])
  })

  it('repeats full batches of images that may change from epoch to epoch, and resumes among them', async () => {
    const chosen = { value: 0 }
    const state = {
      chosen: {
        tensors: {},
        plain: () => chosen.value,
        restore(plain: unknown) {
          chosen.value = plain as number
        },
      },
    }
    const lists = [Int32Array.of(1, 2, 3), Int32Array.of(9), Int32Array.of(0, 4, 5, 6, 7, 8)]
    const from = (epoch: number) => {
      expect(epoch % 3).toBe(chosen.value)
      return lists[chosen.value] as Int32Array
    }
    const repeated = { batches: 5, from }
    const run = async (around: StageContext, stopAfter = -1) => {
      const seen: number[][] = []
      let stopped = false
      const interrupted = () => stopped
      const each = { epochs: 3, batch: 2, augmentation: noAugmentation, repeated, state }
      try {
        for await (const { indices, step, steps, last } of stage(
          { ...around, reporter: { ...around.reporter, interrupted } },
          'a',
          each,
        )) {
          expect([steps, last]).toEqual([15, step % 5 === 4])
          seen.push([...indices])
          if (last) chosen.value = (chosen.value + 1) % 3
          stopped = step === stopAfter
        }
      } catch (error) {
        if (!(error instanceof UserError)) throw error
      }
      return seen
    }
    const straight = await run(context())
    expect(straight.map(({ length }) => length)).toEqual(new Array(15).fill(2))
    const sorted = (batches: number[][]) => batches.flat().sort((a, b) => a - b)
    for (const pass of [0, 1, 2])
      expect(
        straight
          .slice(0, 5)
          .flat()
          .slice(3 * pass, 3 * pass + 3)
          .sort(),
      ).toEqual([1, 2, 3])
    expect(sorted(straight.slice(5, 10))).toEqual(new Array(10).fill(9))
    expect(sorted(straight.slice(10, 13))).toEqual([0, 4, 5, 6, 7, 8])
    for (const stop of [0, 3, 4, 6, 9, 12]) {
      const stages = new Map<string, { position: Position; plain: unknown }>()
      const checkpoints: Checkpoints = {
        save: (name, { chosen }, position) =>
          void stages.set(name, { position: JSON.parse(JSON.stringify(position)), plain: chosen?.plain?.() }),
        restore(name, { chosen }) {
          const saved = stages.get(name)
          if (saved) chosen?.restore?.(saved.plain)
          return saved?.position
        },
      }
      chosen.value = 0
      const first = await run(context({ checkpoints }), stop)
      expect(first).toEqual(straight.slice(0, stop + 1))
      chosen.value = 2 // what a new process does not know
      expect(await run(context({ checkpoints }))).toEqual(straight.slice(stop + 1))
    }
  })

  it.each([{ only: Int32Array.of(1) }, { ordered: true }])(
    'refuses to repeat images and to choose others: %o',
    async (more) => {
      const repeated = { batches: 2, from: () => Int32Array.of(0) }
      const begin = stage(context(), 'a', { ...options, repeated, ...more }).next()
      await expect(begin).rejects.toThrow(/^Cannot begin the stage 'a': 'repeated' chooses the images itself/)
    },
  )

  it('is skipped once it is finished', async () => {
    const { checkpoints, positions } = memory()
    await steps(context({ checkpoints }))
    expect(positions).toEqual([{ epoch: 3, batch: 0, finished: true, sums: {} }])
    expect(await steps(context({ checkpoints }))).toEqual([])
    expect((await steps(context({ checkpoints }), { name: 'b' })).length).toBe(9)
  })

  it('does nothing in no epochs', async () => {
    expect(await steps(context(), { epochs: 0 })).toEqual([])
  })

  it('counts the time of a broken epoch as of a whole one', async () => {
    const { checkpoints, positions } = memory()
    const epochs: EpochMetrics[] = []
    let stopped = false
    const slow = steps(context({ checkpoints, interrupted: () => stopped }), {
      onStep() {
        for (const until = performance.now() + 50; performance.now() < until; );
        stopped = true
      },
    })
    await expect(slow).rejects.toMatchObject({ code: 75 })
    expect(positions.at(-1)?.seconds).toBeGreaterThanOrEqual(0.05)
    await steps(context({ checkpoints, epoch: (each) => void epochs.push(each) }))
    expect(epochs[0]?.seconds).toBeGreaterThanOrEqual(0.05)
  })

  it('saves when due', async () => {
    const { checkpoints, positions } = memory()
    await steps(context({ checkpoints, secondsBetweenCheckpoints: 0 }), { epochs: 1 })
    expect(positions.map(({ epoch, batch, finished }) => [epoch, batch, finished])).toEqual([
      [0, 1, false],
      [0, 2, false],
      [1, 0, true],
    ])
  })

  it('hands checkpoints the state it was given', async () => {
    const counter: Stateful = { tensors: { steps: keep(zeros([1])) } }
    const saved: unknown[] = []
    const checkpoints: Checkpoints = {
      save: (_, state) => void saved.push(state),
      restore: (_, state) => void saved.push(state),
    }
    const state = { counter }
    for await (const _ of stage(context({ checkpoints }), 'a', { ...options, epochs: 1, state }))
      counter.tensors.steps?.add_(1)
    expect(saved).toEqual([state, state])
    expect(counter.tensors.steps?.item()).toBe(3)
  })

  it('leaves no tensors behind, also when the loop is left early', async () => {
    const before = liveTensors()
    await steps(context())
    for await (const { step } of stage(context(), 'a', options)) if (step === 1) break
    const failing = steps(context(), {
      onStep() {
        throw new Error('on purpose')
      },
    })
    await expect(failing).rejects.toThrow('on purpose')
    expect(liveTensors()).toBe(before)
  })
})
