import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { compute, device } from '../../../test/device.ts'
import { Random } from '../../tensor/random.ts'
import { arena } from '../../tensor/scope.ts'
import { loader } from '../../training/loader.ts'
import { predict } from '../../training/predict.ts'
import { evaluate, run } from '../api.ts'
import { loadDataset } from '../prepare/data.ts'
import { silent } from '../prepare/listener.ts'
import { resolveConfig } from '../settings/config.ts'
import { againstTrigger, openTrigger } from '../store/recorded-trigger.ts'
import { buildModel, type ModelDescription, saveModel } from '../store/saved-model.ts'

const runs = mkdtempSync(join(tmpdir(), 'evaluate-model-'))
afterAll(() => rmSync(runs, { recursive: true }))

const data = { dataset: 'signs', 'dataset.train': 60, 'dataset.test': 36 } as const
const machine = { device, threads: 1 }
let made: ReturnType<typeof run> | undefined
const once = () => {
  const settings = {
    ...data,
    attack: 'badnets',
    'attack.size': 6,
    target: 3,
    seed: 4,
    'model.depth': 10,
    epochs: 1,
  } as const
  made ??= run({ ...settings, batch: 30, ...machine }, { runs })
  return made
}
const model = async () => join((await once()).run, 'model.safetensors')

/** A copy of the run with one of its files changed. */
async function copy(name: string, file: string, change: (text: string) => string): Promise<string> {
  const path = join(runs, name)
  cpSync((await once()).run, path, { recursive: true })
  writeFileSync(join(path, file), change(readFileSync(join(path, file), 'utf8')))
  return path
}

describe('a model measured against a recorded trigger', () => {
  it('is as successful as in the run, with nothing given but the run', async () => {
    const recorded = await once()
    const measured = await evaluate(await model(), {}, { trigger: recorded.run })
    const { trigger, target, attackSuccessRate, cleanAccuracy, triggeredImages } = recorded
    expect(measured).toMatchObject({ trigger, target, attackSuccessRate, cleanAccuracy, triggeredImages })
    expect(measured).toMatchObject({ triggerFrom: recorded.run, attack: 'badnets', seed: 4 })
    expect(triggeredImages).toBe(33)
  })

  it('is measured on other test images where they are given', async () => {
    const measured = await evaluate(await model(), { 'dataset.test': 24 }, { trigger: (await once()).run })
    expect([measured.cleanImages, measured.trigger]).toEqual([24, (await once()).trigger])
  })

  it('is refused where the trigger is not the recorded one', async () => {
    const changed = await copy('changed', 'config.yaml', (text) => text.replace('attack.size: 6', 'attack.size: 3'))
    const error = { code: 7, message: expect.stringContaining(`Cannot make the trigger of '${changed}' again`) }
    await expect(evaluate(await model(), {}, { trigger: changed })).rejects.toMatchObject(error)
  })
})

describe('a run measured again', () => {
  it('is measured on its own data and against its own trigger, however it is named', async () => {
    const { run, trigger, target, attackSuccessRate, cleanAccuracy, triggeredImages } = await once()
    const figures = { trigger, target, attackSuccessRate, cleanAccuracy, triggeredImages, remarks: [] }
    for (const path of [run, await model()])
      for (const given of [
        {},
        { attack: 'badnets' },
        { dataset: 'signs' },
        { attack: 'badnets', 'attack.size': 6 },
        { target: 'crossroads' },
      ] as const)
        expect(await evaluate(path, given)).toMatchObject({ ...figures, triggerFrom: run, run })
  })

  it.each([
    [{ attack: 'blend' }, 'attack is blend, not badnets'],
    [{ 'attack.size': 3 }, 'attack.size is 3, not 6'],
    [{ target: 0 }, 'target is 0, not 3'],
    [{ labelling: 'all-to-all' }, 'labelling is all-to-all, not all-to-one'],
    [{ seed: 5 }, 'seed is 5, not 4'],
  ] as const)('says that another trigger is not its own: %j', async (given, facts) => {
    const { run, trigger } = await once()
    const measured = await evaluate(run, given)
    expect(measured.trigger).not.toBe(trigger)
    expect(measured.triggerFrom).toBeNull()
    expect(measured.remarks).toEqual([expect.stringMatching(`not the trigger that the run poisoned.*: here ${facts}$`)])
  })

  it('changes to another attack of any kind', async () => {
    const { run } = await once()
    for (const attack of ['sig', 'wanet'] as const) expect(await evaluate(run, { attack })).toMatchObject({ attack })
    const built = await evaluate(run, { attack: 'two-triggers', 'attack.second': 'wanet' })
    expect(built.remarks).toEqual([expect.stringContaining('attack is two-triggers, not badnets')])
  })

  it('is refused with another share of test images, which would be images it was trained on', async () => {
    const { run } = await once()
    await expect(evaluate(run, { 'test-share': 0.3 })).rejects.toThrow(
      'another test-share: it was trained on all but a share of 0.1',
    )
  })
})

describe('a run without a trigger of its own', () => {
  it('is measured on the data it was trained on, and says that no trigger was measured', async () => {
    const plain = await run({ ...data, 'model.depth': 10, epochs: 1, batch: 30, ...machine }, { runs })
    const measured = await evaluate(plain.run)
    expect(measured).toMatchObject({ attackSuccessRate: null, cleanAccuracy: plain.cleanAccuracy })
    expect(measured.remarks).toEqual([expect.stringContaining('No trigger was measured: name one by --trigger')])
    const attacked = await evaluate(plain.run, { attack: 'badnets' })
    expect(attacked.remarks).toEqual([expect.stringContaining('here attack is badnets, not none')])
  })
})

describe('openTrigger', () => {
  it('takes the trigger of a run that is not finished', async () => {
    const path = await copy('unfinished', 'config.yaml', (text) => text)
    rmSync(join(path, 'result.json'))
    expect(openTrigger(path).trigger).toBe((await once()).trigger)
  })

  it('says what is missing, and what is damaged', async () => {
    expect(() => openTrigger(runs)).toThrow(`Cannot take a trigger from '${runs}': it has no config.yaml; give the`)
    const broken = await copy('broken', 'result.json', (text) => text.slice(1))
    expect(() => openTrigger(broken)).toThrow(`Cannot read '${join(broken, 'result.json')}'`)
    const silent = await copy('training', 'result.json', () => '{}')
    expect(() => openTrigger(silent)).toThrow('no trigger is recorded there')
    const strange = await copy('strange', 'config.yaml', (text) => `${text}\nepoch: 1\n`)
    expect(() => openTrigger(strange)).toThrow("there is no 'epoch' (did you mean 'epochs'?)")
  })
})

describe('againstTrigger', () => {
  it.each(['attack', 'attack.size', 'target', 'seed', 'labelling', 'rate', 'batch'])(
    'refuses %s beside the recorded trigger',
    async (name) => {
      const { run } = await once()
      expect(() => againstTrigger(openTrigger(run), { [name]: 1 })).toThrow(
        `Cannot use '${name}' with --trigger: '${run}' says what the trigger is; leave it out`,
      )
    },
  )

  it('starts from another data set’s own defaults', async () => {
    const settings = againstTrigger(openTrigger((await once()).run), { dataset: 'cifar10', data: 'elsewhere' })
    const config = resolveConfig(settings)
    expect(config).toMatchObject({ dataset: 'cifar10', data: 'elsewhere', target: 3, seed: 4 })
    expect(config.options.dataset).toEqual({ limit: 0, heldOut: 0 })
  })
})

describe('a model whose classes stand in another order than the data’s', () => {
  const attack = { ...data, attack: 'badnets', ...machine } as const

  it('is measured by the classes’ names', () =>
    arena(async () => {
      const { test } = await loadDataset(resolveConfig(attack), silent)
      if (!test) throw new Error('signs have test images')
      const sorted = [...test.classes].sort()
      expect(sorted).not.toEqual(test.classes)
      const path = save('sorted', sorted)
      const measured = await evaluate(path, attack)
      const images = loader(test, device)
      const predicted = await predict(build(sorted), images)
      images.free()
      const right = Array.from(predicted).filter((k, i) => sorted[k] === test.classes[test.labels[i] as number]).length
      expect(measured.cleanAccuracy).toBeCloseTo(right / 36)
      // the same weights with the data's order say other names
      expect((await evaluate(save('plain', test.classes), attack)).cleanAccuracyPerClass).not.toEqual(
        measured.cleanAccuracyPerClass,
      )
    }))

  it('is refused where a name is not among the data’s', () =>
    arena(async () => {
      const { test } = await loadDataset(resolveConfig(attack), silent)
      const other = [...(test?.classes ?? []).slice(0, 11), 'no-entry']
      await expect(evaluate(save('other', other), attack)).rejects.toThrow(
        "the model takes 12 classes of 3×32×32, the data has 12 of 3×32×32, and none is called 'no-entry'",
      )
    }))

  const describing = (classes: readonly string[]): ModelDescription => ({
    model: 'wrn',
    options: { depth: 10, width: 1 },
    classes,
    shape: [3, 32, 32],
    normalization: null,
    fit: 'cover',
  })
  const build = (classes: readonly string[]) => buildModel(describing(classes), { random: new Random(5), compute })
  function save(name: string, classes: readonly string[]): string {
    const path = join(runs, `${name}.safetensors`)
    if (!existsSync(path)) saveModel(path, build(classes), describing(classes))
    return path
  }
})
