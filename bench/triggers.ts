// Seconds to poison 50,000 images of 3×32×32, for every attack of the catalogue that learns nothing: as many of them as
// the attack may poison, covers included. Median of 3; the aim is below 3 s each. Options are the attack's own, and then
// those that cost more. `--json` prints one line.
import { randomFillSync } from 'node:crypto'
import { parseArgs } from 'node:util'
import type { Crafted } from '../src/attacks/attack.ts'
import { type AttackName, attacks } from '../src/attacks/index.ts'
import { table } from '../src/cli/tables.ts'
import { median } from '../src/experiment/measure/statistics.ts'
import { craftAttack, NotLearned } from '../src/experiment/prepare/craft.ts'
import { silent } from '../src/experiment/prepare/listener.ts'
import { labelsOf } from '../src/experiment/settings/attack-options.ts'
import { resolveConfig } from '../src/experiment/settings/config.ts'
import { describeMachine, planCompute, useThreads } from '../src/tensor/device.ts'
import { keepFreedMemory } from '../src/tensor/native.ts'
import { arena } from '../src/tensor/scope.ts'
import { type ImageSet, imageSet } from '../src/training/images.ts'

type Settings = Readonly<Record<string, unknown>> & { readonly attack: AttackName }

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
  },
})
const compute = planCompute({ device: 'cpu', precision: 'fp32', threads: Number(flags.threads) })
keepFreedMemory() // as the command line does
useThreads(compute.threads)

/** Options under which noise is drawn for each image. */
const costly: readonly Settings[] = [
  { attack: 'blend', 'attack.picture': 'gray-noise' },
  { attack: 'wanet', 'attack.noise': true },
]

const train = randomImages(50_000)
const measured: Record<string, Awaited<ReturnType<typeof measure>>> = {}
const learning: string[] = []
for (const settings of [...Object.keys(attacks).map((attack) => ({ attack }) as Settings), ...costly]) {
  const { attack, ...options } = settings
  if (labelsOf(attack, resolveConfig(settings).options.attack) === 'none') continue
  const name = [attack, ...Object.entries(options).map(([key, value]) => `${key}=${value}`)].join(' ')
  try {
    measured[name] = await arena(() => measure(settings))
  } catch (error) {
    if (!(error instanceof NotLearned)) throw error
    learning.push(name)
  }
}

const { processor, libtorch } = describeMachine()
const result = { attacks: measured, learning, aim: 3, rounds: Number(flags.rounds), ...compute, processor, libtorch }
if (flags.json) process.stdout.write(`${JSON.stringify(result)}\n`)
else {
  const rows = Object.entries(measured).map(([name, { poisoned, covers, craft, poison }]) => [
    name,
    String(poisoned),
    String(covers),
    craft.toFixed(2),
    poison.toFixed(2),
  ])
  process.stdout.write(
    `${table([['attack', 'poisoned', 'covers', 'seconds to craft', 'seconds to poison'], ...rows])}\n`,
  )
  if (learning.length > 0) process.stdout.write(`left out, since they learn: ${learning.join(', ')}\n`)
}

/** An attack at the highest rate it can be asked for; crafted anew in every round. */
async function measure(settings: Settings) {
  const atelier = { compute, listener: silent, mayLearn: false }
  const { attack } = await craftAttack(resolveConfig(settings), train, atelier)
  const config = resolveConfig({ ...settings, rate: highestRate(attack, train) })
  const seconds: { craft: number; poison: number; poisoned: number; covers: number }[] = []
  for (let round = 0; round < Number(flags.rounds); round++) {
    await arena(async () => {
      const began = performance.now()
      const crafted = await craftAttack(config, train, atelier)
      const ready = performance.now()
      const { poisoned, covers } = crafted.poison().truth
      seconds.push({
        craft: (ready - began) / 1000,
        poison: (performance.now() - ready) / 1000,
        poisoned: poisoned.length,
        covers: covers.length,
      })
    })
  }
  const middle = (key: 'craft' | 'poison') => median(seconds.map((each) => each[key])) as number
  const { poisoned, covers } = seconds[0] as { poisoned: number; covers: number }
  return { poisoned, covers, craft: middle('craft'), poison: middle('poison') }
}

/** All that the attack may poison, and no more than leaves enough images for its covers. */
function highestRate({ eligible, cover }: Crafted, { labels }: ImageSet): number {
  const choice = labels.filter((y) => eligible?.(y) ?? true).length
  return Math.min(choice, Math.floor(labels.length / (1 + (cover?.ratio ?? 0)))) / labels.length
}

function randomImages(count: number): ImageSet {
  const pixels = randomFillSync(new Uint8Array(count * 3 * 32 * 32))
  const labels = Int32Array.from({ length: count }, (_, i) => i % 10)
  return imageSet({
    pixels,
    labels,
    shape: [3, 32, 32],
    names: Array.from(labels, (_, i) => String(i)),
    classes: Array.from({ length: 10 }, (_, i) => String(i)),
  })
}
