// What each stage of each defense costs: images per second, and time per image over plain training's in the same run, which
// is the paper's Table 3 in our form. Beside it the stage's own arithmetic in the same unit, a forward and a backward
// pass of the network through an image; the aim is 1.2 times that. Medians of several rounds, in turn. `--json` prints one line.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { table } from '../src/cli/tables.ts'
import { defenses } from '../src/defenses/index.ts'
import { median } from '../src/experiment/measure/statistics.ts'
import { defend } from '../src/experiment/prepare/defend.ts'
import { resolveConfig } from '../src/experiment/settings/config.ts'
import { describeMachine, planCompute, useThreads } from '../src/tensor/device.ts'
import { keepFreedMemory } from '../src/tensor/native.ts'
import { Random } from '../src/tensor/random.ts'
import { arena } from '../src/tensor/scope.ts'
import { noCheckpoints } from '../src/training/checkpoint.ts'
import { type ImageSet, imageSet } from '../src/training/images.ts'
import { quiet } from '../src/training/reporter.ts'

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: '0' },
    images: { type: 'string', default: '2560' },
  },
})
const compute = planCompute({ device: 'auto', precision: 'auto', threads: Number(flags.threads) })
keepFreedMemory() // as the command line does
useThreads(compute.threads)
const cache = mkdtempSync(join(tmpdir(), 'deconfound-defenses-')) // or the second round would find what the first learned
process.env.XDG_CACHE_HOME = cache

/** Steps of MixMatch an epoch, and its batch. */
const [iterations, labelled] = [10, 64]
const count = Number(flags.images)
const forward = 1 / 3 // of a forward and a backward pass

/** Passes per image in units of plain training's forward and backward. Absent: 1. */
const arithmetic: Readonly<Record<string, number>> = {
  'nad model': 1 + forward, // the teacher's
  'cbd confounder': 1 + (5 / 3) * forward, // five looks at all images in three epochs
  'abl unlearning': 1 + forward / 0.01, // after each epoch the accuracy on the other 99 %
  'd-br model': 1 + 0.05 / 0.2 + forward, // with the unlearning between its epochs, and the accuracy after each
  'dbd backbone': 2, // two views
  'dbd head': forward, // the backbone is frozen
  // for each labelled image two views of an unlabelled one, whose label is guessed first; after each epoch all images' losses
  'dbd model': 3 + 2 * forward + (forward * count) / (iterations * labelled),
}

/** Stages that train other networks, whose arithmetic is their own. */
const others = new Set(['deconfound confounders-mirrored', 'deconfound confounders-moved'])

/** Stages of a single step, whose speed says nothing. */
const single = new Set(['dbd neighbors'])

const random = new Random(1)
const images = randomImages(count)
const clean = randomImages(count / 4)
const rates = new Map<string, number[]>()
for (let round = 0; round < Number(flags.rounds); round++) {
  for (const name of Object.keys(defenses)) await measure(name)
  rmSync(join(cache, 'deconfound'), { recursive: true, force: true })
}
rmSync(cache, { recursive: true })

const plain = median(rates.get('none model') as number[]) as number
const rows = [...rates].map(([stage, each]) => {
  const imagesPerSecond = median(each) as number
  const own = others.has(stage) ? null : (arithmetic[stage] ?? 1)
  return { stage, imagesPerSecond, overPlain: plain / imagesPerSecond, arithmetic: own }
})
const { processor, libtorch, blas } = describeMachine()
const result = { ...compute, processor, libtorch, blas, rounds: Number(flags.rounds), stages: rows }
const lines = rows.map(({ stage, imagesPerSecond, overPlain, arithmetic: own }) => [
  stage,
  imagesPerSecond.toFixed(0),
  overPlain.toFixed(2),
  ...(own === null ? ['', ''] : [own.toFixed(2), (overPlain / own).toFixed(2)]),
])
const heads = ['stage', 'images/s', 'over plain', 'its arithmetic', 'overhead']
process.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : `${table([heads, ...lines])}\n`)

/** Three epochs of every stage; what the last batch of each says of the images per second. */
async function measure(defense: string): Promise<void> {
  const schema = defenses[defense as keyof typeof defenses].options.shape as Record<string, unknown>
  const lengths = Object.keys(schema).filter((option) => /epochs$/i.test(option) && !/decay|fast/i.test(option))
  const kebab = (option: string) => option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  const short = Object.fromEntries(lengths.map((option) => [`defense.${kebab(option)}`, 3]))
  const few = 'iterations' in schema ? { 'defense.iterations': iterations } : {}
  const config = resolveConfig({ defense, epochs: 3, flip: true, ...short, ...few })
  const last = new Map<string, number>()
  await arena(() =>
    defend(config, images, {
      compute,
      clean,
      random: new Random(2),
      checkpoints: noCheckpoints,
      reporter: {
        ...quiet,
        progress: ({ stage, imagesPerSecond }) =>
          void last.set(`${defense} ${stage.replace(/-\d+$/, '')}`, imagesPerSecond),
      },
    }),
  )
  for (const [stage, rate] of last) {
    if (!single.has(stage)) rates.set(stage, [...(rates.get(stage) ?? []), rate])
  }
}

function randomImages(count: number): ImageSet {
  const pixels = Uint8Array.from({ length: count * 3072 }, () => random.integer(256))
  const labels = Int32Array.from({ length: count }, (_, i) => i % 10)
  const classes = Array.from({ length: 10 }, (_, k) => String(k))
  const names = Array.from(labels, (_, i) => String(i))
  return imageSet({ pixels, labels, classes, names, shape: [3, 32, 32] })
}
