// One training step of WRN-16-1: ours against PyTorch eager in three forms (plain: NCHW, fp32; channels last; tuned: channels
// last and bf16 autocast), in turn on the same machine; and a CBD step against a plain one, each as the product runs it.
// `--json` prints one line. Where there is no python3 with torch (Debian: python3-torch), the ratios are null.
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { median } from '../src/experiment/measure/statistics.ts'
import { defend } from '../src/experiment/prepare/defend.ts'
import { resolveConfig } from '../src/experiment/settings/config.ts'
import { wrn } from '../src/models/wrn.ts'
import { crossEntropy } from '../src/nn/losses.ts'
import { moveTo } from '../src/nn/module.ts'
import { sgd } from '../src/nn/sgd.ts'
import { packageRoot } from '../src/tensor/build.ts'
import { describeMachine, planCompute, useThreads } from '../src/tensor/device.ts'
import { keepFreedMemory } from '../src/tensor/native.ts'
import { Random } from '../src/tensor/random.ts'
import { arena, scope } from '../src/tensor/scope.ts'
import { type Tensor, tensor } from '../src/tensor/tensor.ts'
import { noCheckpoints } from '../src/training/checkpoint.ts'
import { imageSet } from '../src/training/images.ts'
import { quiet } from '../src/training/reporter.ts'
import { pythonWith } from './python.ts'

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean' },
    device: { type: 'string', default: 'auto' },
    batch: { type: 'string', default: '128' },
    precision: { type: 'string', default: 'auto' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
  },
})
const batch = Number(flags.batch)
const compute = planCompute({
  device: flags.device,
  precision: flags.precision as 'auto',
  threads: Number(flags.threads),
})
keepFreedMemory() // as the command line does
useThreads(compute.threads)
const random = new Random(1)
const stepsPerRound = 10
/** different ones in turn: a network that knows its one batch by heart has gradients so small that they are slow to compute */
const batches = 10

const ours = makeOurStep()
const python = startPython()
const forms = ['plain', 'channels-last', 'tuned'] as const
type Form = (typeof forms)[number]
const times: Record<'ours' | Form, number[]> = { ours: [], plain: [], 'channels-last': [], tuned: [] }
for (let round = 0; round <= Number(flags.rounds); round++) {
  const mine = Array.from({ length: stepsPerRound }, ours)
  if (round > 0) times.ours.push(median(mine) as number) // the first round warms up
  for (const form of python ? forms : []) {
    const theirs = (await python?.steps(form, stepsPerRound)) ?? []
    if (round > 0) times[form].push(median(theirs) as number)
  }
}
python?.process.kill()

const plain: number[] = []
const cbd: number[] = []
for (let round = 0; round < 3; round++) {
  plain.push(await secondsPerStep({ defense: 'none', epochs: 2 }))
  cbd.push(await secondsPerStep({ defense: 'cbd', epochs: 2, 'defense.confounder-epochs': 1 }))
}

const oursMs = median(times.ours) as number
const ratioTo = (form: Form) => median(times[form].map((theirs, round) => theirs / (times.ours[round] as number)))
const { processor, libtorch, bf16 } = describeMachine()
const result = {
  ratio: ratioTo('plain'),
  ratioChannelsLast: ratioTo('channels-last'),
  ratioTuned: ratioTo('tuned'),
  cbdOverPlain: (median(cbd) as number) / (median(plain) as number),
  oursMs,
  plainMs: median(times.plain),
  channelsLastMs: median(times['channels-last']),
  tunedMs: median(times.tuned),
  imagesPerSecond: (1000 * batch) / oursMs,
  plainStepMs: 1000 * (median(plain) as number),
  cbdStepMs: 1000 * (median(cbd) as number),
  batch,
  ...compute,
  processor,
  libtorch,
  bf16Hardware: bf16,
  rounds: times.ours.length,
}
process.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : `${JSON.stringify(result, null, 2)}\n`)

function makeOurStep(): () => number {
  const normalization = { mean: [0.5, 0.5, 0.5], deviation: [0.25, 0.25, 0.25] }
  const context = { random, compute, classes: 10, shape: [3, 32, 32] as const, normalization }
  const model = moveTo(wrn.build({ depth: 16, width: 1 }, context), compute.device)
  const optimizer = sgd(model.parameters)
  const images = Array.from({ length: batches }, () =>
    random.uniformTensor([batch, 3, 32, 32]).to({ device: compute.device }),
  )
  let next = 0
  const labels = tensor(
    Int32Array.from({ length: batch }, (_, i) => i % 10),
    [batch],
    'int64',
  ).to({ device: compute.device })
  return () => {
    const began = performance.now()
    scope(() => {
      const { logits } = model.forward(images[next++ % batches] as Tensor, 'train')
      optimizer.step(crossEntropy(logits, labels), 0.01).item() // waits, as the script beside it does
    })
    return performance.now() - began
  }
}

/** Of the model's training, by the defense as the product runs it: loading, augmentation and reports included. */
async function secondsPerStep(settings: Record<string, unknown>): Promise<number> {
  const config = resolveConfig({ ...settings, batch, device: compute.device, precision: compute.precision })
  const count = batch * 12
  const pixels = Uint8Array.from({ length: count * 3 * 32 * 32 }, () => random.integer(256))
  const labels = Int32Array.from({ length: count }, (_, i) => i % 10)
  const names = Array.from(labels, (_, i) => String(i))
  const images = imageSet({
    pixels,
    labels,
    names,
    shape: [3, 32, 32],
    classes: Array.from({ length: 10 }, (_, i) => String(i)),
  })
  let seconds = 0
  await arena(() =>
    defend(config, images, {
      compute,
      random: new Random(2),
      checkpoints: noCheckpoints,
      reporter: {
        ...quiet,
        epoch({ stage, epoch, seconds: taken }) {
          if (stage === 'model' && epoch === 1) seconds = taken
        },
      },
    }),
  )
  return seconds / 12
}

function startPython() {
  const interpreter = pythonWith(['torch'])
  if (!interpreter) return undefined
  const script = join(packageRoot(), 'bench/train_step.py')
  const child: ChildProcess = spawn(interpreter, [script, String(compute.threads), compute.device, String(batch)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]()
  return {
    process: child,
    async steps(form: Form, count: number): Promise<number[]> {
      child.stdin?.write(`${form} ${count}\n`)
      return JSON.parse((await lines.next()).value)
    },
  }
}
