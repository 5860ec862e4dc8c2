import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { datasets } from '../src/datasets/index.ts'
import { type DefenseName, defenses } from '../src/defenses/index.ts'
import type { DetectorEntry } from '../src/detectors/detector.ts'
import { type DetectorName, detectors } from '../src/detectors/index.ts'
import { craftAttack } from '../src/experiment/prepare/craft.ts'
import { defend } from '../src/experiment/prepare/defend.ts'
import { silent } from '../src/experiment/prepare/listener.ts'
import { type Config, resolveConfig } from '../src/experiment/settings/config.ts'
import { type ModelName, models } from '../src/models/index.ts'
import type { ModelEntry } from '../src/models/model.ts'
import type { Classifier } from '../src/nn/classifier.ts'
import { stateOf } from '../src/nn/module.ts'
import { Random } from '../src/tensor/random.ts'
import { arena } from '../src/tensor/scope.ts'
import { liveTensors } from '../src/tensor/tensor.ts'
import { type Checkpoints, checkpointFolder, noCheckpoints } from '../src/training/checkpoint.ts'
import { type ImageSet, imageSet, pixelsOf, subset } from '../src/training/images.ts'
import { loader } from '../src/training/loader.ts'
import { quiet } from '../src/training/reporter.ts'
import { compute } from './device.ts'
import { quickDefenses, smallModels } from './small.ts'

// Nothing that trains or judges a model assumes which model it is.

liveTensors() // loads the addon from the real cache
const folders: string[] = []
const freshFolder = () => {
  folders.push(mkdtempSync(join(tmpdir(), 'on-models-')))
  return folders.at(-1) as string
}
process.env.XDG_CACHE_HOME = freshFolder()
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true })
})

const quickDetectors: Partial<Record<DetectorName, object>> = { strip: { superpositions: 3 } }

const modelNames = Object.keys(models) as ModelName[]
const defenseNames = Object.keys(defenses) as DefenseName[]

const { train } = await arena(() =>
  datasets.signs.load({ train: 60, test: 12 }, { data: undefined, seed: 1, progress() {} }),
)

/** The images, at half their size for a model that takes them so. */
function imagesFor(model: ModelName): { images: ImageSet; clean: ImageSet } {
  const { smallest = 1 }: ModelEntry = models[model]
  const pixels = pixelsOf(train).filter((_, i) => i % 2 === 0 && (i >> 5) % 2 === 0)
  const set = smallest > 16 ? train : imageSet({ ...train, pixels, shape: [3, 16, 16] })
  return {
    images: subset(
      set,
      Array.from({ length: 40 }, (_, i) => i),
    ),
    clean: subset(
      set,
      Array.from({ length: 20 }, (_, i) => 40 + i),
    ),
  }
}

function configure(model: ModelName, more: Record<string, unknown> = {}): Config {
  const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  const options = Object.entries(smallModels[model]).map(([name, value]) => [`model.${kebab(name)}`, value])
  return resolveConfig({
    model,
    epochs: 1,
    batch: 16,
    device: compute.device,
    precision: 'fp32',
    threads: 1,
    ...Object.fromEntries(options),
    ...more,
  })
}

const around = (clean: ImageSet, checkpoints: Checkpoints = noCheckpoints) => ({
  clean,
  compute,
  random: new Random(3),
  checkpoints,
  reporter: quiet,
})

const fail = (message: string) => {
  throw new Error(message)
}

const finite = (model: Classifier) =>
  Object.values(stateOf(model).tensors).every((tensor) => Number.isFinite(tensor.sum().item()))

function hash(model: Classifier): string {
  const digest = createHash('sha256')
  for (const [name, tensor] of Object.entries(stateOf(model).tensors)) digest.update(name).update(tensor.bytes())
  return digest.digest('hex')
}

describe.each(modelNames)('on model %s', (model) => {
  const { images, clean } = imagesFor(model)

  it.each(defenseNames)('defense %s trains', (defense) =>
    arena(async () => {
      const config = configure(model, { defense, ...quickDefenses[defense] })
      const { classifier, suspicion, description } = await defend(config, images, around(clean))
      expect(description.model).toBe(model)
      expect(finite(classifier)).toBe(true)
      expect(suspicion?.score.some(Number.isNaN) ?? false).toBe(false)
    }),
  )

  it('a training that was stopped gives the same weights to the bit', () =>
    arena(async () => {
      const config = configure(model, { epochs: 2 })
      const straight = hash((await defend(config, images, around(clean))).classifier)
      const folder = freshFolder()
      let asked = 0
      const stopping = { ...quiet, interrupted: () => ++asked >= 2 }
      const context = around(clean, checkpointFolder(folder, fail))
      await expect(defend(config, images, { ...context, reporter: stopping })).rejects.toThrow('Stopped on request')
      expect(hash((await defend(config, images, around(clean, checkpointFolder(folder, fail)))).classifier)).toBe(
        straight,
      )
    }))

  it.each(Object.keys(detectors) as DetectorName[])('detector %s judges', (name) =>
    arena(async () => {
      const { classifier } = await defend(configure(model), images, around(clean))
      const detector: DetectorEntry = detectors[name]
      const { score } = await detector.detect(detector.options.parse(quickDetectors[name] ?? {}), {
        images: loader(images, compute.device),
        clean: loader(clean, compute.device),
        classes: images.classes,
        model: classifier,
        compute,
        batch: 16,
        random: new Random(1),
        onProgress() {},
      })
      expect(score.length).toBe(40)
      expect(score.every(Number.isFinite)).toBe(true)
    }),
  )

  it.each([
    ['trojan', { 'attack.epochs': 1, 'attack.iterations': 3 }],
    ['dynamic', { 'attack.epochs': 1, 'attack.mask-epochs': 1 }],
    ['adaptive', { 'attack.epochs': 1 }],
  ])('attack %s learns', (attack, options) =>
    arena(async () => {
      const config = configure(model, { attack, ...options, rate: 0.2, target: 0 })
      const { set } = await (await craftAttack(config, images, { compute, listener: silent })).poison()
      expect(set.hash).not.toBe(images.hash)
    }),
  )
})
