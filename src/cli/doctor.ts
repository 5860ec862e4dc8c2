import { Command } from 'commander'
import { measureSpeed } from '../experiment/measure/speed.ts'
import { packageVersion, settleCompute } from '../experiment/store/environment.ts'
import { rememberedAddon } from '../tensor/build.ts'
import { describeMachine } from '../tensor/device.ts'
import { findLibtorch } from '../tensor/libtorch.ts'
import { PartialFailure } from './failure.ts'
import { table } from './tables.ts'
import { print, printJson } from './terminal.ts'
import { duration } from './units.ts'

export const doctorCommand = new Command('doctor')
  .option('--bench', 'also measure how fast the default network trains here, in some seconds')
  .option('--json', 'print one JSON object on standard output')
  .action(async ({ json, bench }) => {
    const libtorch = told(findLibtorch)
    const machine = told(describeMachine)
    const facts: Record<string, unknown> = { deconfound: packageVersion(), node: process.version }
    if ('error' in libtorch) facts.libtorchFound = libtorch.error
    else
      Object.assign(facts, { libtorchFound: `${libtorch.version} by ${libtorch.origin}`, libtorchFolder: libtorch.lib })
    facts.addon = rememberedAddon() ?? 'none yet: it is built at first use'

    if ('error' in machine) {
      const told = { ...facts, problem: machine.error }
      if (!json) print(factTable(told))
      throw new PartialFailure('usage', 'Cannot compute on this machine, for the reason above', told)
    }
    const { libtorchBuild, libtorch: loaded, gpus, variables, ...rest } = machine
    Object.assign(facts, { libtorchLoaded: loaded, ...rest, gpus: gpus.join(', ') || 'none' })
    facts.variables = json
      ? variables
      : Object.entries(variables)
          .map((each) => each.join('='))
          .join(' ') || 'none'
    if (!('error' in libtorch) && libtorch.version !== loaded) {
      facts.remark = "the libtorch found is not the one loaded: 'make setup' builds the addon for it"
    }
    const compute = settleCompute({ device: 'auto', precision: 'auto', threads: 0 })
    const blind =
      'cuda' in libtorch && libtorch.cuda ? 'libtorch has CUDA, but sees no GPU' : 'this libtorch is built without CUDA'
    const why: Record<string, string> = {
      device: gpus.length > 0 ? 'a GPU is there' : blind,
      precision:
        compute.precision === 'bf16' ? 'the device multiplies bf16 in hardware' : 'the device has no fast bf16',
      threads: 'as many as there are cores',
    }
    const speed = bench ? await measureSpeed(compute) : undefined
    if (json) return printJson({ ...facts, libtorchBuild, chosen: compute, why, ...(speed && { speed }) })
    const chosen = Object.entries(compute).map(([name, value]) => [name, String(value), why[name] ?? ''])
    print(`${factTable(facts)}\n\nA run would use\n${table(chosen)}`)
    if (speed) print(`\nTraining WRN-16-1 on images of 32×32 pixels, batch 128\n${table(speedRows(speed))}`)
  })

function speedRows({ stepMs, imagesPerSecond }: { stepMs: number; imagesPerSecond: number }): string[][] {
  const of = (epochs: number) => duration((epochs * 50_000) / imagesPerSecond)
  return [
    ['step', `${stepMs.toFixed(1)} ms`, `${Math.round(imagesPerSecond)} images/s`],
    ['50,000 images', `${of(1)} an epoch`, `${of(15)} for 15 epochs, ${of(100)} for 100`],
  ]
}

/** What `ask` returns, or why it cannot be told: a doctor reports an illness instead of failing from it. */
function told<T>(ask: () => T): T | { error: string } {
  try {
    return ask()
  } catch (error) {
    return { error: (error as Error).message }
  }
}

const factTable = (facts: Record<string, unknown>) =>
  table(Object.entries(facts).map(([name, value]) => [name, String(value)]))
