import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import { commands } from '../src/cli/commands.ts'
import { cacheEntries, clearCache, trimCache } from '../src/experiment/store/cache-usage.ts'
import { cacheFolder, cachePath, lockFolder } from '../src/files.ts'
import { findLibtorch, libtorchAt } from '../src/tensor/libtorch.ts'
import { liveTensors } from '../src/tensor/tensor.ts'
import { command } from './command.ts'
import { device } from './device.ts'

// The command line itself: help, mistakes, configuration, and the commands that train nothing.

const home = mkdtempSync(join(tmpdir(), 'command-line-'))
liveTensors() // loads the addon, which lies in the cache that the next line hides
vi.stubEnv('XDG_CACHE_HOME', join(home, 'cache'))
const at = (name: string) => join(home, name)
const small = ['--dataset.train', '48', '--dataset.test', '24', '--threads', '1', '--device', device]

afterAll(() => {
  vi.unstubAllEnvs()
  rmSync(home, { recursive: true })
})

beforeAll(async () => {
  for (const [name, background] of Object.entries({ cat: 'red', dog: 'blue', fox: 'lime' })) {
    mkdirSync(at(`photos/${name}`), { recursive: true })
    const image = sharp({ create: { width: 16, height: 16, channels: 3, background } }).png()
    for (const i of [1, 2, 3]) writeFileSync(at(`photos/${name}/${i}.png`), await image.toBuffer())
  }
})

const json = async (...words: string[]) => JSON.parse((await command(...words, '--json')).out)

describe('help', () => {
  it('lists all commands, and each has its own page', async () => {
    const { code, out } = await command('--help')
    expect(code).toBe(0)
    for (const { name, load } of commands) {
      expect(out).toContain(`  ${name} `)
      expect((await load()).name()).toBe(name)
    }
    expect((await command('help', 'train')).out).toContain('Usage: deconfound train')
  })

  it('of a command tells its own options; --help-all also those of entries and what is seldom needed', async () => {
    const own = await command('poison', '--help')
    const all = await command('poison', '--help-all')
    expect([own.code, all.code]).toEqual([0, 0])
    for (const option of ['--attack.opacity <n> (blend)', '--momentum <n>', '--cutout <n>']) {
      expect(own.out).not.toContain(option)
      expect(all.out).toContain(option)
    }
    expect(own.out).toContain('--help-all')
  })

  it('says what kind of value an option takes', async () => {
    const { out } = await command('train', '--help')
    for (const flag of ['--epochs <n>', '--flip <true|false>', '--clean <folder>', '--defense <name>'])
      expect(out).toContain(flag)
    expect(out).not.toContain('<value>')
  })
})

/** Mistakes: the words, the exit code, what is said. */
const mistakes: [string, number, string][] = [
  ['trian', 2, "There is no command 'trian': did you mean 'train'?"],
  ['frobnicate', 2, "There is no command 'frobnicate': see 'deconfound --help'"],
  ['train', 2, "Cannot train without images: name their folder, as in 'deconfound train photos/"],
  ['train --data=', 2, 'Cannot train without images'],
  ['train ', 2, 'Cannot train without images'],
  ['train a b', 2, 'Cannot train with so many words'],
  [
    'train photos --size 64',
    2,
    "Cannot use '--size' with 'train': there is no such option; did you mean '--dataset.size'?",
  ],
  ['train photos --lr 0.1', 2, "did you mean '--learning-rate'?"],
  ['train photos --exclude x', 2, "there is no such option; see 'deconfound train --help'"],
  ['train photos --attack badnets', 2, "Cannot use '--attack' with 'train'"],
  ['train photos --epochs', 2, "Cannot use '--epochs <n>': its value is missing"],
  ['train photos --defense.bottleneck', 2, "Cannot understand '--defense.bottleneck': its value is missing"],
  ['train photos --data other', 2, "Cannot use '--data' with the images in 'photos': give one of them"],
  ['run --attack badnet', 2, "there is no 'badnet' (did you mean 'badnets'?); use none, badnets, "],
  ['run --model resnet18', 2, "'model': there is no 'resnet18' (did you mean 'resnet'?); use wrn"],
  ['run --flip no', 2, "'flip': expected true or false, not 'no'"],
  ['run --epochs ten', 2, "'epochs': expected a number, not 'ten'"],
  ['run extra', 2, 'Cannot run with so many words'],
  ['list attack', 2, "Cannot list 'attack': there is no 'attack' (did you mean 'attacks'?); use runs, "],
  ['list --attack.size 3', 2, "Cannot use '--attack.size' with 'list'"],
  ['poison --format tar --out x', 2, "Cannot use --format 'tar': there is no 'tar'; use folders, cifar"],
  ['tune --by luck', 2, "Cannot use --by 'luck'"],
  ['predict', 2, "Cannot predict without <model>: give it, as in 'deconfound predict runs/"],
  ['predict x', 2, 'Cannot predict without <files>'],
  ['detect runs/x', 2, "Cannot detect without '--detector <name>': give it, as in 'deconfound detect runs/"],
  ['resume nowhere', 2, "Cannot resume 'nowhere': there is no such directory"],
  ['cache --clear all', 2, "Cannot use --clear 'all': there is no 'all'; use decoded, learned, addon"],
]

describe('a mistake', () => {
  it.each(mistakes)('%s', async (line, code, message) => {
    const words = line.split(' ')
    const told = await command(...words)
    expect([told.code, told.out, told.error]).toEqual([code, '', expect.stringContaining(message)])
    expect(told.error).not.toMatch(/^error:|Debugger|undefined/m)
    const { error } = await json(...words)
    expect(error).toEqual({ code, message: expect.stringContaining(message) })
  })

  it('beside which something was found gives one object all the same', async () => {
    const { run } = await json(
      'run',
      '--epochs',
      '1',
      '--batch',
      '24',
      '--model.depth',
      '10',
      '--runs',
      at('runs'),
      ...small,
    )
    const { predictions, error } = await json('predict', run, at('photos/cat/1.png'), at('nothing.png'))
    expect(predictions.length).toBe(2)
    expect(error).toMatchObject({ code: 3, message: expect.stringContaining('Cannot classify 1 of 2 files') })
    const told = await command('predict', run, at('photos/cat/1.png'))
    expect([told.code, told.out]).toEqual([0, expect.stringMatching(/1\.png +\S.* %\n$/)])
    const again = await command('resume', run)
    expect([again.code, again.error]).toEqual([0, 'This run is finished; here is its result\n'])
    expect(again.out).toContain('clean accuracy')
  })
})

describe('options of entries', () => {
  it('may stand before, between and after words', async () => {
    const options = ['--dataset.size', '64']
    for (const words of [
      [...options, at('photos')],
      [at('photos'), ...options],
      [at('photos'), '--dataset.size=64'],
    ])
      expect(await json('train', ...words, '--print-config')).toMatchObject({ 'dataset.size': 64, data: at('photos') })
  })
})

describe('what train --print-config prints', () => {
  it('is by itself a configuration for train, which prints it again', async () => {
    const words = ['train', at('photos'), '--epochs', '3', '--defense', 'abl', '--defense.isolated', '0.2']
    const { out } = await command(...words, '--print-config')
    writeFileSync(at('cfg.yaml'), out)
    const again = await command('train', '--config', at('cfg.yaml'), '--print-config')
    expect(parse(again.out)).toEqual(parse(out))
  })

  it('is the same for --data as for the argument', async () => {
    const { out } = await command('train', at('photos'), '--print-config')
    expect((await command('train', '--data', at('photos'), '--print-config')).out).toBe(out)
  })

  it('is no experiment: the configuration of one is refused, and told where it belongs', async () => {
    writeFileSync(at('experiment.yaml'), 'attack: badnets\nattack.size: 6\n')
    const { code, error } = await command('train', at('photos'), '--config', at('experiment.yaml'))
    expect(code).toBe(2)
    expect(error).toContain("it poisons by attack 'badnets', and 'train' poisons nothing; give it to 'run'")
  })
})

describe('a run that ends before anything is trained', () => {
  it('is not offered to be resumed where its data have changed', async () => {
    const quick = ['--epochs', '1', '--batch', '8', '--model.depth', '10', '--threads', '1', '--device', device]
    const { run } = await json('train', at('photos'), '--defense', 'none', '--runs', at('changed'), ...quick)
    rmSync(join(run, 'result.json'))
    writeFileSync(at('photos/cat/3.png'), readFileSync(at('photos/dog/3.png')))
    const { code, error } = await command('resume', run)
    expect([code, error]).toEqual([3, expect.stringContaining('its data has changed')])
    expect(error).not.toContain('to go on')
  })

  it('leaves nothing behind and offers no resume', async () => {
    mkdirSync(at('two/a'), { recursive: true })
    mkdirSync(at('two/b'))
    for (const name of ['a', 'b']) writeFileSync(at(`two/${name}/1.png`), readFileSync(at('photos/cat/1.png')))
    const { code, error } = await command('train', at('two'), '--runs', at('none'), '--threads', '1')
    expect([code, error]).toEqual([3, expect.stringContaining('too few')])
    expect(error).not.toContain('resume')
    expect(readdirSync(at('none'))).toEqual([])
  })

  it.each([
    ['run', ...small],
    ['train', at('photos')],
  ])('is refused at once where runs cannot be made: %s', async (...words) => {
    writeFileSync(at('file'), '')
    for (const more of [[], ['--dry-run']]) {
      const { code, error } = await command(...words, '--runs', at('file/runs'), ...more)
      expect([code, error]).toEqual([2, expect.stringMatching(/is no folder; choose another folder by --runs\n$/)])
      expect(error).not.toMatch(/reading|running/)
    }
  })
})

it('run --dry-run says what would be done, and makes nothing', async () => {
  const plan = await json('run', '--attack', 'badnets', '--dry-run', '--runs', at('dry'), ...small)
  expect(plan).toMatchObject({ trainingImages: 48, testImages: 24, attack: 'badnets', epochs: 15 })
  const { out } = await command('run', '--attack', 'trojan', '--dry-run', '--runs', at('dry'), ...small)
  expect(out).toMatch(/parameters: \d+\n[\s\S]*Nothing was trained: this was a dry run\n$/)
  expect(() => readdirSync(at('dry'))).toThrow('ENOENT')
})

it('list shows what can be chosen, with its options', async () => {
  expect(await command('list', 'attacks')).toMatchObject({ code: 0, out: expect.stringContaining('--attack.opacity') })
  expect((await json('list', 'runs', '--runs', at('no-runs'))).runs).toEqual([])
})

describe('doctor', () => {
  it('says what the machine has, and what a run would use', async () => {
    const { code, out } = await command('doctor')
    expect([code, out]).toEqual([0, expect.stringMatching(/libtorch[\s\S]*A run would use\ndevice /)])
    expect(await json('doctor')).toMatchObject({ node: process.version, chosen: { threads: expect.any(Number) } })
  })
})

describe('libtorch', () => {
  it('is found, with its version and folders', () => {
    const { version, lib, include } = findLibtorch()
    expect(version).toMatch(/^\d+\.\d+\.\d+$/)
    expect(readdirSync(lib)).toContain('libtorch_cpu.so')
    expect(include.length).toBeGreaterThan(0)
  })

  it('is not looked for elsewhere where LIBTORCH names a folder without it', () => {
    vi.stubEnv('LIBTORCH', home)
    expect(() => findLibtorch()).toThrow(`Cannot use LIBTORCH='${home}'`)
    vi.stubEnv('LIBTORCH', undefined)
    expect(libtorchAt(home, 'a test')).toBeUndefined()
  })
})

describe('the cache', () => {
  const day = 86_400_000

  /** An entry of so many bytes, last used so many days ago. */
  function put(kind: string, name: string, { size, days }: { size: number; days: number }): string {
    const folder = join(cacheFolder(kind), kind === 'decoded' ? '' : name)
    mkdirSync(folder, { recursive: true })
    const file = join(folder, kind === 'decoded' ? `${name}.images` : 'learned.safetensors')
    writeFileSync(file, new Uint8Array(size))
    const used = new Date(Date.now() - days * day)
    for (const path of [file, ...(kind === 'decoded' ? [] : [folder])]) utimesSync(path, used, used)
    return kind === 'decoded' ? file : folder
  }

  it('beyond its limit loses what was not used for longest, and nothing that is in use', async () => {
    clearCache()
    const oldest = put('learned', 'oldest', { size: 400, days: 9 })
    const locked = put('learned', 'locked', { size: 400, days: 8 })
    const old = put('decoded', 'old', { size: 400, days: 7 })
    const newer = put('learned', 'newer', { size: 400, days: 6 })
    const now = put('decoded', 'now', { size: 400, days: 0 })
    const lock = lockFolder(locked)
    utimesSync(join(locked, 'lock'), new Date(Date.now() - 8 * day), new Date(Date.now() - 8 * day))
    utimesSync(locked, new Date(Date.now() - 8 * day), new Date(Date.now() - 8 * day))
    expect(trimCache(1e6)).toEqual([])
    expect(trimCache(1700).map(({ path }) => path)).toEqual([oldest, old])
    expect(trimCache(0).map(({ path }) => path)).toEqual([newer])
    expect(
      cacheEntries()
        .map(({ path }) => path)
        .sort(),
    ).toEqual([locked, now].sort())
    lock.release()
  })

  it('is told by a command, and cleared by kind', async () => {
    clearCache()
    put('decoded', 'photos', { size: 2000, days: 1 })
    put('learned', 'trigger', { size: 3000, days: 1 })
    const { out } = await command('cache')
    expect(out).toContain(cachePath(''))
    expect(out).toMatch(/decoded +2\.0 kB +1 [\s\S]*5\.0 kB of at most 5\.0 GB\n$/)
    expect(await json('cache', '--clear', 'decoded')).toMatchObject({ bytes: 3000, removedBytes: 2000 })
    expect(await json('cache', '--clear')).toMatchObject({ bytes: 0, removedBytes: 3000, limit: 5e9 })
  })

  it.each<[string, number]>([
    ['2GB', 2e9],
    ['500 mb', 5e8],
    ['1.5 GiB', 1.5e9],
    ['100', 100],
  ])('may be %s large', async (size, limit) => {
    vi.stubEnv('DECONFOUND_CACHE_SIZE', size)
    expect(await json('cache')).toMatchObject({ limit })
  })

  it('is refused a size that is none, and a place that cannot be written', async () => {
    vi.stubEnv('DECONFOUND_CACHE_SIZE', 'much')
    expect((await json('cache')).error.message).toContain("DECONFOUND_CACHE_SIZE='much': expected a size, as in '5GB'")
    vi.stubEnv('DECONFOUND_CACHE_SIZE', undefined)
    vi.stubEnv('XDG_CACHE_HOME', at('photos/cat/1.png'))
    expect(() => cacheFolder('learned')).toThrow(/Cannot make the cache folder .*: .*; name a folder .* XDG_CACHE_HOME/)
    expect(await json('cache')).toMatchObject({ bytes: 0 })
    vi.stubEnv('XDG_CACHE_HOME', at('cache'))
  })
})
