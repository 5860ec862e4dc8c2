import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { cifar10 } from '../../src/datasets/cifar10.ts'
import { defend } from '../../src/experiment/prepare/defend.ts'
import { resolveConfig } from '../../src/experiment/settings/config.ts'
import { Random } from '../../src/tensor/random.ts'
import { arena } from '../../src/tensor/scope.ts'
import { noCheckpoints } from '../../src/training/checkpoint.ts'
import { imageSet, pixelsOf, subset } from '../../src/training/images.ts'
import { quiet } from '../../src/training/reporter.ts'
import type { Suspicion } from '../../src/training/suspicion.ts'
import { compute } from '../device.ts'

const data = fileURLToPath(new URL('../../data/cifar-10-batches-py', import.meta.url))
const dog = 5

const changes = {
  'the same': (level: number) => level,
  'a little lighter': (level: number) => Math.min(255, Math.round(1.06 * level + 4)),
}

describe.each(Object.entries(changes))('clean images of which one class has copies, %s', (_, changed) => {
  it('are hardly flagged, if at all', async ({ skip }) => {
    if (!existsSync(data)) skip('CIFAR-10 is not in data/')
    const context = { data, seed: 1, progress() {} }
    const { train } = await cifar10.load({ limit: 700, heldOut: 0 }, context)
    const places = Array.from(train.labels.keys())
    const dogs = subset(train, Int32Array.from(places.filter((i) => train.labels[i] === dog)))
    const twice = {
      ...train,
      pixels: Uint8Array.from([...pixelsOf(train), ...pixelsOf(dogs).map(changed)]),
      labels: Int32Array.from([...train.labels, ...dogs.labels]),
    }
    const names = Array.from(twice.labels, (_, i) => String(i))
    const config = resolveConfig({ dataset: 'cifar10', defense: 'deconfound', epochs: 1, 'model.depth': 10 })
    const { suspicion } = await arena(() =>
      defend(config, imageSet({ ...twice, names }), {
        compute,
        random: new Random(1),
        checkpoints: noCheckpoints,
        reporter: quiet,
      }),
    )
    const { score, threshold } = suspicion as Suspicion
    expect(score.filter((each) => each > threshold).length / score.length).toBeLessThanOrEqual(0.01)
  })
})
