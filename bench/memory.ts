// Anonymous resident memory: a million scoped operations in one synchronous loop, and ten epochs of training, each after
// a warm-up. `--json` prints one line; growths are shares of what was there after the warm-up.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { datasets } from '../src/datasets/index.ts'
import { defend } from '../src/experiment/prepare/defend.ts'
import { resolveConfig } from '../src/experiment/settings/config.ts'
import { settleCompute } from '../src/experiment/store/environment.ts'
import { keepFreedMemory } from '../src/tensor/native.ts'
import { Random } from '../src/tensor/random.ts'
import { arena, scope } from '../src/tensor/scope.ts'
import { liveTensors, tensor } from '../src/tensor/tensor.ts'
import { noCheckpoints } from '../src/training/checkpoint.ts'
import { quiet } from '../src/training/reporter.ts'

const { values: flags } = parseArgs({ options: { json: { type: 'boolean' } } })

keepFreedMemory() // as the command line does

// Garbage that V8 has not got round to collecting is no growth: it is collected before each look.
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** epochs of 20 steps: allocator and compiler settle within the first hundred steps */
const warmUp = 6

/** Bytes of this process that belong to no file. */
function anonymous(): number {
  collectGarbage()
  const line = /^Anonymous:\s+(\d+) kB/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))
  return Number(line?.[1]) * 1024
}

const compute = settleCompute({ device: 'cpu', precision: 'auto', threads: 2 })
const value = tensor(new Float32Array([1, 2, 3, 4]), [4])
const scoped = (count: number) => {
  for (let i = 0; i < count; i++) scope(() => void value.add(value))
}
scoped(200_000)
const before = anonymous()
const live = liveTensors()
const began = performance.now()
scoped(1_000_000)
const microseconds = (performance.now() - began) / 1000
const operations = {
  growth: (anonymous() - before) / before,
  microsecondsEach: microseconds,
  tensorsLeft: liveTensors() - live,
}

const { train } = await datasets.signs.load({ train: 2560, test: 12 }, { data: undefined, seed: 1, progress: () => {} })
const marks: number[] = []
await arena(() =>
  defend(resolveConfig({ epochs: warmUp + 10, defense: 'none' }), train, {
    compute,
    random: new Random(1),
    checkpoints: noCheckpoints,
    reporter: { ...quiet, epoch: () => void marks.push(anonymous()) },
  }),
)
const warm = marks[warmUp - 1] as number
const training = {
  growth: ((marks.at(-1) as number) - warm) / warm,
  epochs: marks.length - warmUp,
  megabytes: Math.round(warm / 2 ** 20),
}
const result = { operations, training, tensorsLeft: liveTensors() - live }
process.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : `${JSON.stringify(result, null, 2)}\n`)
