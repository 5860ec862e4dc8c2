import { Command } from 'commander'
import { packageVersion, settleCompute } from '../experiment/environment.ts'
import { rememberedAddon } from '../tensor/build.ts'
import { describeMachine } from '../tensor/device.ts'
import { findLibtorch } from '../tensor/libtorch.ts'
import { table } from './tables.ts'

export const doctorCommand = new Command('doctor')
  .description('Say what this machine has, what a run would choose, and why')
  .option('--json', 'print one JSON object on standard output')
  .action(({ json }) => {
    const libtorch = findLibtorch()
    const { libtorchBuild, ...machine } = describeMachine()
    const compute = settleCompute({ device: 'auto', precision: 'auto', threads: 0 })
    const facts = {
      deconfound: packageVersion(),
      ...machine,
      libtorchOrigin: libtorch.origin,
      libtorchFolder: libtorch.lib,
      addon: rememberedAddon() ?? null,
    }
    const why = {
      device:
        machine.gpus.length > 0
          ? 'a GPU is there'
          : libtorch.cuda
            ? 'libtorch has CUDA, but sees no GPU'
            : 'this libtorch is built without CUDA',
      precision:
        compute.precision === 'bf16' ? 'the device multiplies bf16 in hardware' : 'the device has no fast bf16',
      threads: 'as many as there are cores',
    }
    if (json) {
      process.stdout.write(`${JSON.stringify({ ...facts, libtorchBuild, chosen: compute, why })}\n`)
      return
    }
    const rows = Object.entries(facts).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') || 'none' : String(value),
    ])
    const chosen = Object.entries(compute).map(([name, value]) => [name, String(value), why[name as keyof typeof why]])
    process.stdout.write(`${table(rows)}\n\nA run would use\n${table(chosen)}\n`)
  })
