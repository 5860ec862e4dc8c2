import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'

import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { writeExample } from '../src/datasets/cifar-example.ts'
import { buildModel } from '../src/experiment/store/saved-model.ts'
import { stateOf } from '../src/nn/module.ts'
import { Random } from '../src/tensor/random.ts'
import { formatSafetensors } from '../src/tensor/safetensors.ts'
import { arena } from '../src/tensor/scope.ts'
import { put, writeImagenet, writeList, writeParquet, writeShards, writeSigns } from './data-examples.ts'

// Every command that README.md and docs/guide.md show is given to a shell, in their order, in a folder that has what they speak
// of: photographs, data in other forms, a run. Only lengths and sizes are smaller.

const root = fileURLToPath(new URL('..', import.meta.url))
const home = mkdtempSync(join(tmpdir(), 'documents-'))
afterAll(() => rmSync(home, { recursive: true }))

const run = (...words: string[]) =>
  execFileSync(process.execPath, [join(root, 'bin', 'deconfound.js'), ...words], {
    cwd: home,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, XDG_CACHE_HOME: process.env.XDG_CACHE_HOME ?? '' },
  })

/** The commands of a document, without what a `#` says of them; `make` and `npm` set up a checkout and are not given. */
function commandsIn(document: string): string[] {
  const text = readFileSync(join(root, document), 'utf8')
  const blocks = Array.from(text.matchAll(/^```sh\n(.*?)^```/gms), ([, block = '']) => block)
  const lines = blocks.flatMap((block) => block.split('\n')).map((line) => line.replace(/\s+#.*/, '').trim())
  return lines.filter((line) => line.startsWith('npx deconfound '))
}

const smaller = ['--epochs', '1', '--batch', '16', '--threads', '1']
const shallow = ['--model.depth', '10']
const signs = ['--dataset.train', '120', '--dataset.test', '24'] // a tenth of a class is an image

const fewJudged = ['--defense.judged-images', '200']
const smallSearch = [
  ...fewJudged,
  '--defense.divisions',
  '1',
  '--defense.confounder-epochs',
  '1',
  '--batch',
  '16',
  '--threads',
  '1',
]

/** The words of a command, the work made small. */
function wordsOf(command: string): string[] {
  const [, , name = '', ...given] = command.replaceAll(/(?:runs\/)?RUN/g, latestRun()).split(/\s+/)
  const kept = given.filter((word, i) => word !== '--epochs' && given[i - 1] !== '--epochs')
  const words = kept.map((word) => (word === '224' ? '72' : word))
  const short = words.includes('--model') ? smaller : [...smaller, ...shallow]
  const drawn = !words.some((word) => ['photos/', 'poisoned', '--dataset'].includes(word))
  if (words.includes('--dry-run') || words.includes('--print-config')) return [name, ...words]
  if (name === 'data') return [name, ...words, '--dry-run'] // a test reaches no network
  if (name === 'sweep') return [name, ...words, '--dry-run']
  if (name === 'ui') return [name, ...words, '--help'] // it would wait for a reader
  if (name === 'tune')
    return [name, ...words, ...short, ...signs, '--folds', '2', '--subset', '48', '--defense.confounder-epochs', '1']
  if (name === 'run') return [name, ...words, ...short, ...(drawn ? signs : [])]
  if (name === 'train') return [name, ...words, ...short, ...(words.includes('--defense') ? [] : fewJudged)]
  if (name === 'audit') return [name, ...words, ...smallSearch]
  if (name === 'repair') return [name, ...words, '--defense.epochs', '1', '--defense.share', '0.5', '--threads', '1']
  if (name === 'detect') return [name, ...words, '--detector.superpositions', '4']
  if (name === 'preview') return [name, ...words, ...signs]
  return [name, ...words]
}

/** The run made last, of an experiment. */
function latestRun(): string {
  const runs = join(home, 'runs')
  if (!existsSync(runs)) return 'RUN'
  const finished = readdirSync(runs).filter((name) => existsSync(join(runs, name, 'model.safetensors')))
  const times = finished.map((name) => [statSync(join(runs, name, 'model.safetensors')).mtimeMs, name] as const)
  return join('runs', times.sort(([a], [b]) => b - a)[0]?.[1] ?? 'RUN')
}

/** A ResNet-18 of the photographs' classes as torchvision saves one, and the names of the classes. */
async function writeForeign(): Promise<void> {
  const classes = readdirSync(join(home, 'photos')).sort()
  writeFileSync(join(home, 'classes.txt'), `${classes.join('\n')}\n`)
  const of = {
    model: 'resnet',
    options: { stem: 'large' },
    classes,
    shape: [3, 72, 72],
    normalization: null,
    fit: 'cover',
  } as const
  await arena(async () => {
    const model = buildModel(of, { random: new Random(1), compute: { device: 'cpu', precision: 'fp32', threads: 1 } })
    const tensors = Object.entries(stateOf(model).tensors).map(
      ([name, tensor]) => [name, { dtype: tensor.dtype, shape: tensor.shape, bytes: tensor.bytes() }] as const,
    )
    writeFileSync(join(home, 'resnet18.safetensors'), Buffer.concat(formatSafetensors({ tensors: tensors as never })))
  })
}

beforeAll(async () => {
  run('poison', '--attack', 'badnets', '--rate', '0', '--out', 'photos', '--threads', '1', ...signs)
  const pixels = { create: { width: 40, height: 30, channels: 3, background: '#c08040' } } as const
  await sharp(pixels).jpeg().toFile(join(home, 'new.jpg'))
  await sharp(pixels).png().toFile(join(home, 'logo.png'))
  await writeForeign()
  mkdirSync(join(home, 'data'))
  await writeExample(join(home, 'data', 'cifar-10-batches-py'), 'python', 40)
  await writeList(home)
  await writeSigns(join(home, 'data', 'GTSRB'))
  await writeImagenet(join(home, 'data', 'imagenet'), 10)
  await put(join(home, 'half.csv'), 'wnid,name\nn01,tench\nn03,crane\n')
  await writeShards(join(home, 'shards'))
  cpSync(join(home, 'shards', 'train-000.tar'), join(home, 'shards.tar'))
  await writeParquet(join(home, 'parquet'))
  cpSync(join(home, 'parquet', 'train-00000-of-00001.parquet'), join(home, 'set.parquet'))
  for (const name of ['experiments', 'results']) symlinkSync(join(root, name), join(home, name))
})

describe.each(['README.md', 'docs/guide.md'])('%s', (document) => {
  it.each(commandsIn(document))('%s', (command) => {
    expect(() => run(...wordsOf(command))).not.toThrow()
  })

  it('links to what is there', () => {
    const text = readFileSync(join(root, document), 'utf8')
    const links = Array.from(text.matchAll(/\]\((?!https?:)([^)#]+)/g), ([, link = '']) => link)
    const folder = join(root, document, '..')
    for (const link of links) expect(existsSync(join(folder, link)), link).toBe(true)
  })
})

it('README.md has at most 110 lines', () => {
  expect(readFileSync(join(root, 'README.md'), 'utf8').split('\n').length).toBeLessThanOrEqual(110)
})
