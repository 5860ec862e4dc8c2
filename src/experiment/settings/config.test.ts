import { describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { attacks } from '../../attacks/index.ts'
import { datasets } from '../../datasets/index.ts'
import { defenses } from '../../defenses/index.ts'
import { UserError } from '../../errors.ts'
import { models } from '../../models/index.ts'
import { flattenConfig, parseConfigFile, resolveConfig, settings } from './config.ts'
import { describeOptions } from './describe-options.ts'
import { parseFlag } from './flag.ts'

const pairs = Object.keys(attacks).flatMap((attack) =>
  Object.entries(defenses).flatMap(([defense, { presets }]) =>
    Object.keys(presets).map((preset) => ({ attack, defense, preset })),
  ),
)

describe('a configuration', () => {
  it.each(pairs)('comes back from its file whole: $attack, $defense, $preset', (given) => {
    const config = resolveConfig({ ...given, seed: 7, rate: 0.05, 'dataset.train': 100 })
    const file = stringify(flattenConfig(config))
    expect(resolveConfig(parseConfigFile(file, 'config.yaml'))).toEqual(config)
    expect(flattenConfig(resolveConfig(parse(file)))).toEqual(parse(file))
  })

  it.each(Object.keys(datasets))('takes its defaults from the data set: %s', (dataset) => {
    const { target, flip, learningRate } = datasets[dataset as keyof typeof datasets]
    expect(resolveConfig({ dataset })).toMatchObject({ target, flip, 'learning-rate': learningRate })
    const given = { target: 3, flip: !flip, 'learning-rate': 0.007 }
    expect(resolveConfig({ dataset, ...given })).toMatchObject(given)
  })

  it('takes the model’s share of the data set’s learning rate, and its weight decay, unless they are given', () => {
    expect(resolveConfig({ model: 'vit' })).toMatchObject({ 'learning-rate': 0.0005, 'weight-decay': 0.05 })
    expect(resolveConfig({ model: 'wrn' })).toMatchObject({ 'learning-rate': 0.1, 'weight-decay': 1e-4 })
    const given = { 'learning-rate': 0.003, 'weight-decay': 0 }
    expect(resolveConfig({ model: 'vit', ...given })).toMatchObject(given)
  })

  it('has every option of every entry under its kind, in flags’ spelling', () => {
    const { options } = resolveConfig({
      attack: 'blend',
      'attack.opacity': 0.1,
      defense: 'cbd',
      'defense.confounder-epochs': 3,
    })
    expect(options.attack).toEqual({ opacity: 0.1, picture: 'noise' })
    expect(options.defense.confounderEpochs).toBe(3)
    expect(flattenConfig(resolveConfig({ defense: 'cbd' }))).toMatchObject({
      'defense.critic-rate': 1e-3,
      'model.depth': 16,
    })
  })
})

describe('how much is poisoned', () => {
  it.each<[Record<string, unknown>, object]>([
    [{ attack: 'badnets' }, { rate: 0.1 }],
    [{ attack: 'adap-blend' }, { rate: 0.003 }],
    [{ attack: 'adap-blend', rate: 0.1 }, { rate: 0.1 }],
    [{ attack: 'sig' }, { 'class-rate': 0.8 }],
    [{ attack: 'sig', 'class-rate': 0.5 }, { 'class-rate': 0.5 }],
    [{ attack: 'sig', rate: 0.01 }, { rate: 0.01 }],
    [{ attack: 'adaptive', 'attack.base': 'sig' }, { 'class-rate': 0.8 }],
    [{ attack: 'adaptive', 'attack.base': 'adap-blend' }, { rate: 0.003 }],
  ])('is a share of all images, or of a class where labels stay: %o', (given, share) => {
    const { rate, 'class-rate': classRate } = resolveConfig(given)
    expect({
      ...(rate !== undefined && { rate }),
      ...(classRate !== undefined && { 'class-rate': classRate }),
    }).toEqual(share)
  })
})

describe('an attack made of others', () => {
  it('has their options under its own, with all defaults', () => {
    const given = {
      attack: 'two-triggers',
      'attack.second': 'wanet',
      'attack.first.size': 6,
      'attack.second.points': 8,
    }
    const config = resolveConfig(given)
    expect(config.options.attack).toMatchObject({
      first: 'badnets',
      'first.size': 6,
      'first.pattern': 'grid',
      second: 'wanet',
      'second.points': 8,
      'second.strength': 0.5,
    })
    expect(resolveConfig(flattenConfig(config))).toEqual(config)
  })

  it('may be made of such', () => {
    const given = {
      attack: 'adaptive',
      'attack.base': 'adaptive',
      'attack.base.base': 'wanet',
      'attack.base.base.points': 8,
    }
    expect(resolveConfig(given).options.attack).toMatchObject({ 'base.base.points': 8, 'base.base.strength': 0.5 })
  })
})

describe('a mistake in a configuration', () => {
  const problem = (given: Record<string, unknown>, source?: string) => {
    try {
      resolveConfig(given, source)
    } catch (error) {
      expect(error).toBeInstanceOf(UserError)
      expect((error as UserError).code).toBe(2)
      return (error as Error).message
    }
    return 'no problem'
  }

  it.each<[Record<string, unknown>, string]>([
    [{ attack: 'sig', 'class-rate': 0.5, rate: 0.1 }, "Cannot use 'rate' and 'class-rate' together"],
    [{ attack: 'badnets', 'class-rate': 0.5 }, "Cannot use 'class-rate' with attack 'badnets'"],
    [{ attack: 'sig', labelling: 'all-to-all' }, "Cannot label all-to-all with attack 'sig'"],
    [{ attack: 'sig', labelling: 'untargeted' }, "Cannot label untargeted with attack 'sig'"],
    [{ attack: 'two-triggers', 'attack.second': 'sig' }, "Cannot use 'sig' as 'attack.second' of 'two-triggers'"],
    [{ attack: 'adaptive', 'attack.base': 'none' }, "Cannot use 'none' as 'attack.base' of 'adaptive'"],
    [{ attack: 'adaptive', 'attack.base': 'badnet' }, "'attack.base': there is no 'badnet' (did you mean 'badnets'?)"],
    [{ attack: 'adaptive', 'attack.base.sise': 3 }, "(did you mean 'attack.base.size'?)"],
    [{ attack: 'badnets', 'attack.base.size': 3 }, "there is no 'attack.base.size'"],
    [{ epoch: 5 }, "there is no 'epoch' (did you mean 'epochs'?)"],
    [{ lr: 0.1 }, "there is no 'lr' (did you mean 'learning-rate'?)"],
    [{ dataset: 'image-folder', data: 'x', size: 64 }, "there is no 'size' (did you mean 'dataset.size'?)"],
    [{ learningRate: 5 }, "(did you mean 'learning-rate'?)"],
    [{ attack: 'blend', 'attack.opacty': 0.1 }, "there is no 'attack.opacty' (did you mean 'attack.opacity'?)"],
    [{ defense: 'cbd', 'defense.confounder-epoch': 1 }, "(did you mean 'defense.confounder-epochs'?)"],
    [
      { attack: 'blend', 'attack.something': 1 },
      "there is no 'attack.something' (there are attack.opacity, attack.picture)",
    ],
    [{ attack: 'none', 'attack.opacity': 1 }, "there is no 'attack.opacity' (it has no options)"],
    [{ 'atack.opacity': 1 }, "there is no 'atack' (did you mean 'attack'?); use dataset, attack, defense, model"],
    [
      { defense: 'cbd', preset: 'papers' },
      "Cannot use preset 'papers' of defense 'cbd': there is no 'papers' (did you mean 'paper'?); use paper, ",
    ],
  ])('is told with the nearest right name: %o', (given, message) => {
    expect(problem(given)).toContain(message)
  })

  it.each<[Record<string, unknown>, string]>([
    [{ epochs: 'ten' }, "'epochs': expected a number, not 'ten'"],
    [{ epochs: 0 }, "'epochs': expected at least 1, not 0"],
    [{ epochs: 1.5 }, "'epochs': expected a whole number, not 1.5"],
    [{ rate: 1.01 }, "'rate': expected at most 1, not 1.01"],
    [{ 'learning-rate': 0 }, "'learning-rate': expected more than 0, not 0"],
    [{ preset: 3 }, "'preset': expected a word, not 3"],
    [{ rate: Number.NaN }, "'rate': "],
    [{ 'learning-rate': Number.POSITIVE_INFINITY }, "'learning-rate': "],
    [{ rate: null }, "'rate': "],
    [{ attack: 'sig', 'class-rate': 1.5 }, "'class-rate': "],
    [{ nesterov: 'yes' }, "'nesterov': expected true or false, not 'yes'"],
    [{ attack: 'badnet' }, "'attack': there is no 'badnet' (did you mean 'badnets'?); use none, badnets, "],
    [{ attack: 'x' }, "'attack': there is no 'x'; use none, badnets, "],
    [{ seed: [1] }, "'seed': "],
    [{ attack: 'blend', 'attack.opacity': '0.2' }, "'attack.opacity': "],
    [{ defense: 'cbd', 'defense.critic-rate': -1 }, "'defense.critic-rate': "],
  ])('is told by name where the value is of the wrong kind: %o', (given, message) => {
    expect(problem(given, "'mine.yaml'")).toContain(`Cannot use 'mine.yaml': ${message}`)
  })

  it.each([
    '__proto__',
    'constructor',
    'toString',
    'attack.__proto__',
    'defense.constructor',
    '__proto__.x',
    'hasOwnProperty.x',
  ])('is not taken for anything else: %s', (key) => {
    const given = Object.fromEntries([[key, { polluted: 1 }]])
    expect(problem(given)).toMatch(/^Cannot use/)
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
    expect(problem(parseConfigFile(`${key}: {polluted: 1}`, 'x'))).toMatch(/^Cannot use/)
  })

  it('is told all at once', () => {
    const message = problem({ epochs: 0, rate: 2, sed: 1 })
    for (const each of ['epochs', 'rate', "'seed'?"]) expect(message).toContain(each)
  })
})

describe('a configuration file', () => {
  it('is YAML, or JSON', () => {
    expect(parseConfigFile('epochs: 3\nattack.opacity: 0.1 # weak\n', 'x')).toEqual({
      epochs: 3,
      'attack.opacity': 0.1,
    })
    expect(parseConfigFile('{"epochs": 3}', 'x')).toEqual({ epochs: 3 })
  })

  it.each(['', '5', '- epochs', 'just text', 'null'])('is refused where it is no record: %o', (text) => {
    expect(() => parseConfigFile(text, 'x.yaml')).toThrow(
      "Cannot use 'x.yaml' as a configuration: expected names and values",
    )
  })

  it('is refused, with the line, where it is no YAML', () => {
    expect(() => parseConfigFile('epochs: 3\nrate: [1', 'x.yaml')).toThrow(/^Cannot read 'x.yaml' as YAML: .*line \d/)
    expect(() => parseConfigFile('epochs: 3\nepochs: 4', 'x.yaml')).toThrow(
      /^Cannot read 'x.yaml' as YAML: .*unique.*line 2/,
    )
  })
})

it.each([
  ['0.2', 0.2],
  ['1e-4', 1e-4],
  ['15', 15],
  ['true', true],
  ['grid', 'grid'],
  ['cuda:0', 'cuda:0'],
  ['[1', '[1'],
  ['{a: 1}', '{a: 1}'],
  ['/data/a b', '/data/a b'],
  ['', ''],
])('a flag’s %o means %o', (text, value) => expect(parseFlag(text)).toEqual(value))

it('every setting and option is described, with its default', () => {
  const entries = [attacks, defenses, models, datasets].flatMap((catalogue) =>
    Object.values<{ options: typeof settings }>(catalogue as never),
  )
  for (const schema of [settings, ...entries.map(({ options }) => options)]) {
    for (const { name, description } of describeOptions(schema)) expect(description, name).not.toBe('')
  }
  expect(describeOptions(attacks.badnets.options, 'attack.')[0]).toMatchObject({
    name: 'attack.pattern',
    default: 'grid',
    choices: ['grid', 'white'],
  })
})
