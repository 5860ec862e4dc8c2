// A whole epoch of training WRN-16-1 on CIFAR-10, reading and metrics included: ours, the usual PyTorch script (epoch.py), and
// the convolutions alone, which no training does without. Medians of several rounds, in turn. `--json` prints one line. Where
// there is no python3 with torch and torchvision (Debian: python3-torchvision), the ratio is null.
import { execFileSync } from 'node:child_process'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { median } from '../src/experiment/measure/statistics.ts'
import { loadDataset } from '../src/experiment/prepare/data.ts'
import { defend } from '../src/experiment/prepare/defend.ts'
import { silent } from '../src/experiment/prepare/listener.ts'
import { resolveConfig } from '../src/experiment/settings/config.ts'
import { conv } from '../src/nn/conv.ts'
import { packageRoot } from '../src/tensor/build.ts'
import { autocast, describeMachine, planCompute, useThreads } from '../src/tensor/device.ts'
import { keepFreedMemory } from '../src/tensor/native.ts'
import { Random } from '../src/tensor/random.ts'
import { arena, scope } from '../src/tensor/scope.ts'
import { noCheckpoints } from '../src/training/checkpoint.ts'
import { quiet } from '../src/training/reporter.ts'
import { pythonWith } from './python.ts'

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean' },
    data: { type: 'string', default: 'data/cifar-10-batches-py' },
    device: { type: 'string', default: 'auto' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '1' },
  },
})
const compute = planCompute({ device: flags.device, precision: 'auto', threads: Number(flags.threads) })
keepFreedMemory() // as the command line does
useThreads(compute.threads)
const config = resolveConfig({ dataset: 'cifar10', data: flags.data, epochs: 1, device: compute.device })
const python = pythonWith(['torch', 'torchvision'])
const times = { ours: [] as number[], script: [] as number[], convolutions: [] as number[] }
for (let round = 0; round < Number(flags.rounds); round++) {
  times.ours.push(await ourEpoch())
  times.convolutions.push((50_000 / 128) * secondsOfConvolutions(128))
  if (python) times.script.push(theirEpoch(python))
}

const [ours, script] = [median(times.ours) as number, median(times.script)]
const { processor, libtorch, bf16 } = describeMachine()
const result = {
  ratio: script === null ? null : script / ours,
  secondsOurs: ours,
  secondsScript: script,
  secondsConvolutions: median(times.convolutions),
  ...compute,
  processor,
  libtorch,
  bf16Hardware: bf16,
  rounds: times.ours.length,
}
process.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : `${JSON.stringify(result, null, 2)}\n`)

/** Reads the data set and trains an epoch as the product does, in seconds. */
function ourEpoch(): Promise<number> {
  const began = performance.now()
  return arena(async () => {
    const { train } = await loadDataset(config, silent)
    await defend(config, train, {
      compute,
      random: new Random(1),
      checkpoints: noCheckpoints,
      reporter: quiet,
    })
    return (performance.now() - began) / 1000
  })
}

function theirEpoch(python: string): number {
  const script = join(packageRoot(), 'bench/epoch.py')
  const words = [script, String(compute.threads), compute.device, dirname(resolve(flags.data))]
  return JSON.parse(execFileSync(python, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })).seconds
}

/** Forward and backward of all convolutions of WRN-16-1 in a step, as the model calls them; median of five. */
function secondsOfConvolutions(batch: number): number {
  const random = new Random(1)
  // [in, out, kernel, stride, size of the input, how many of them]
  const kinds = [
    [3, 16, 3, 1, 32, 1],
    [16, 16, 3, 1, 32, 4],
    [16, 32, 3, 2, 32, 1],
    [16, 32, 1, 2, 32, 1],
    [32, 32, 3, 1, 16, 3],
    [32, 64, 3, 2, 16, 1],
    [32, 64, 1, 2, 16, 1],
    [64, 64, 3, 1, 8, 3],
  ] as const
  let total = 0
  for (const [from, to, kernel, stride, size, count] of kinds) {
    const layer = conv(random, { from, to, kernel, stride })
    const dtype = compute.precision === 'bf16' ? 'bfloat16' : 'float32'
    const images = random
      .normalTensor([batch, from, size, size])
      .to({ dtype, device: compute.device, channelsLast: true })
      .requiresGrad_(from > 3)
    const times = Array.from({ length: 7 }, () => {
      const began = performance.now()
      scope(() =>
        autocast(compute, () => layer.forward(images))
          .sum()
          .backward(),
      )
      return (performance.now() - began) / 1000
    })
    total += count * (median(times.slice(2)) as number)
    images.free()
  }
  return total
}
