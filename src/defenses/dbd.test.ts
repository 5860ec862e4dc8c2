import { expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import { datasets } from '../datasets/index.ts'
import { defend } from '../experiment/prepare/defend.ts'
import { resolveConfig } from '../experiment/settings/config.ts'
import { Random } from '../tensor/random.ts'
import { arena } from '../tensor/scope.ts'
import { noCheckpoints } from '../training/checkpoint.ts'
import { imageSet, pixelsOf } from '../training/images.ts'
import { quiet } from '../training/reporter.ts'
import type { EpochMetrics } from '../training/stage.ts'

// The arithmetic of its losses and views is compared with PyTorch's in test/golden/dbd.test.ts.

/** Signs, how each stage went, and what the images' losses were after each epoch of the last one. */
async function run(relabel: (label: number, i: number) => number, options: Record<string, unknown> = {}) {
  const { train } = await datasets.signs.load({ train: 60, test: 12 }, { data: undefined, seed: 1, progress() {} })
  const pixels = pixelsOf(train).filter((_, i) => i % 2 === 0 && (i >> 5) % 2 === 0)
  const labels = train.labels.map(relabel)
  const config = resolveConfig({
    dataset: 'signs',
    defense: 'dbd',
    batch: 32,
    device,
    precision: 'fp32',
    threads: 1,
    'model.depth': 10,
    'defense.backbone-epochs': 2,
    'defense.backbone-batch': 32,
    'defense.head-epochs': 1,
    'defense.epochs': 1,
    'defense.iterations': 2,
    'defense.batch': 8,
    ...options,
  })
  const epochs: EpochMetrics[] = []
  const traces: Float32Array[] = []
  const { suspicion } = await defend(config, imageSet({ ...train, pixels, labels, shape: [3, 16, 16] }), {
    clean: null,
    compute: { device, precision: 'fp32', threads: 1 } as const,
    random: new Random(3),
    checkpoints: noCheckpoints,
    reporter: { ...quiet, epoch: ({ seconds: _, ...metrics }) => void epochs.push(metrics as EpochMetrics) },
    trace: (_, __, values) => void traces.push(values),
  })
  return {
    of: (stage: string) => epochs.filter((each) => each.stage === stage),
    traces,
    suspicion,
    classes: train.classes,
  }
}

it('learns its backbone from images alone: labels change nothing about it', () =>
  arena(async () => {
    const [given, others] = [await run((label) => label), await run((_, i) => i % 3)]
    expect(given.of('backbone').length).toBe(2)
    expect(others.of('backbone')).toEqual(given.of('backbone'))
    expect(others.of('head')).not.toEqual(given.of('head'))
    const [before, after] = given.of('backbone').map(({ loss }) => loss as number) as [number, number]
    expect(after).toBeLessThan(before)
  }))

it('says how many neighbors share a label, for the backbone and for a network that learned nothing', () =>
  arena(async () => {
    const [metrics] = (await run((label) => label)).of('neighbors')
    expect(metrics).toMatchObject({ accuracy: expect.any(Number), random: expect.any(Number) })
    for (const share of [metrics?.accuracy, metrics?.random]) {
      const images = Number(share) * 60
      expect(Math.abs(images - Math.round(images))).toBeLessThan(1e-6)
      expect(share).toBeLessThanOrEqual(1)
    }
  }))

it('suspects as many images as lose their label at first', () =>
  arena(async () => {
    for (const labelled of [0.5, 0.8]) {
      const { suspicion } = await run((label) => label, { 'defense.labelled': labelled })
      const suspects = suspicion?.score.filter((each) => each > suspicion.threshold)
      expect(suspects?.length).toBe(Math.round(60 * (1 - labelled)))
    }
  }))
