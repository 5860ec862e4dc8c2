// The search of `deconfound` before its model is trained, in epochs of plain training on the same images (random ones, of
// CIFAR-10's size): by stage and in all. Medians of several rounds, in turn. `--json` prints one line.
import { parseArgs } from 'node:util'
import { median } from '../src/experiment/measure/statistics.ts'
import { defend } from '../src/experiment/prepare/defend.ts'
import { resolveConfig } from '../src/experiment/settings/config.ts'
import { describeMachine, planCompute, useThreads } from '../src/tensor/device.ts'
import { keepFreedMemory } from '../src/tensor/native.ts'
import { Random } from '../src/tensor/random.ts'
import { arena } from '../src/tensor/scope.ts'
import { noCheckpoints } from '../src/training/checkpoint.ts'
import { imageSet } from '../src/training/images.ts'
import { quiet } from '../src/training/reporter.ts'

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
    images: { type: 'string', default: '5120' },
  },
})
const compute = planCompute({ device: 'auto', precision: 'auto', threads: Number(flags.threads) })
keepFreedMemory() // as the command line does
useThreads(compute.threads)
const random = new Random(1)
const count = Number(flags.images)
const classes = Array.from({ length: 10 }, (_, i) => String(i))
const labels = Int32Array.from({ length: count }, (_, i) => i % 10)
const images = imageSet({
  pixels: Uint8Array.from({ length: count * 3 * 32 * 32 }, () => random.integer(256)),
  labels,
  names: Array.from(labels, (_, i) => String(i)),
  shape: [3, 32, 32],
  classes,
})

/** Seconds of each stage of a training, all its epochs together. */
async function stagesOf(settings: Record<string, unknown>): Promise<Map<string, number>> {
  const config = resolveConfig({ dataset: 'cifar10', device: compute.device, ...settings })
  const stages = new Map<string, number>()
  await arena(() =>
    defend(config, images, {
      compute,
      random: new Random(2),
      checkpoints: noCheckpoints,
      reporter: {
        ...quiet,
        epoch: ({ stage, seconds }) => void stages.set(stage, (stages.get(stage) ?? 0) + seconds),
      },
    }),
  )
  return stages
}

// As many a plain epoch as 80,000 are of CIFAR-10's 50,000 images.
const judgedImages = Math.round((80_000 / 50_000) * count)

const plain: number[] = []
const search = new Map<string, number[]>()
const whole: number[] = []
for (let round = 0; round <= Number(flags.rounds); round++) {
  const epoch = ((await stagesOf({ defense: 'none', epochs: 2 })).get('model') as number) / 2
  const stages = await stagesOf({ defense: 'deconfound', epochs: 1, 'defense.judgedImages': judgedImages })
  if (round === 0) continue // warm-up
  plain.push(epoch)
  stages.delete('model')
  for (const [stage, seconds] of stages) search.set(stage, [...(search.get(stage) ?? []), seconds / epoch])
  whole.push([...stages.values()].reduce((sum, seconds) => sum + seconds, 0) / epoch)
}
const { processor, libtorch, bf16 } = describeMachine()
const result = {
  plainEpochs: median(whole),
  byStage: Object.fromEntries([...search].map(([stage, ratios]) => [stage, median(ratios)])),
  plainEpochSeconds: median(plain),
  images: count,
  ...compute,
  processor,
  libtorch,
  bf16Hardware: bf16,
  rounds: plain.length,
}
process.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : `${JSON.stringify(result, null, 2)}\n`)
