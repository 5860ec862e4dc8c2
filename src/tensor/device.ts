import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { UserError } from '../errors.ts'
import { engineVersion } from './engine.ts'
import { native } from './native.ts'
import { type Settled, settled } from './scope.ts'

export type Precision = 'fp32' | 'bf16'

/** Where and how a run computes, settled before it starts and recorded with it. */
export interface Compute {
  /** `cpu` or `cuda:N` */
  readonly device: string
  /** of convolutions and products; weights, losses and statistics are always fp32 */
  readonly precision: Precision
  readonly threads: number
}

/** Settles `auto`: the first GPU if there is one; bf16 where the hardware multiplies it; all cores. */
export function planCompute(wish: { device: string; precision: Precision | 'auto'; threads: number }): Compute {
  const gpus = native().cudaDevices()
  const device =
    wish.device === 'auto' ? (gpus > 0 ? 'cuda:0' : 'cpu') : wish.device === 'cuda' ? 'cuda:0' : wish.device
  const gpu = /^cuda:(\d+)$/.exec(device)
  if (!gpu && device !== 'cpu')
    throw new UserError('usage', `Cannot use device '${device}': it is 'auto', 'cpu' or 'cuda:N'`)
  if (gpu && Number(gpu[1]) >= gpus) {
    throw new UserError(
      'usage',
      `Cannot use device '${device}': this libtorch sees ${gpus} GPUs ('deconfound doctor' tells more)`,
    )
  }
  const precision = wish.precision === 'auto' ? (hasFastBf16(device) ? 'bf16' : 'fp32') : wish.precision
  return { device, precision, threads: wish.threads || availableParallelism() }
}

/** Whether the device has instructions for bf16 products. */
export function hasFastBf16(device: string): boolean {
  if (device.startsWith('cuda')) return (native().cudaDevice(Number(device.slice(5)))?.computeCapability ?? 8) >= 8
  return existsSync('/proc/cpuinfo') && /\bavx512_bf16\b|\bamx_bf16\b/.test(readFileSync('/proc/cpuinfo', 'utf8'))
}

/** Sets how many threads compute. */
export function useThreads(count: number): void {
  native().setThreads(count)
}

/** How many bytes a GPU has; without end where that cannot be told. */
export function deviceBytes(device: string): number {
  return native().cudaDevice(Number(device.slice(5)))?.memory ?? Infinity
}

/** Runs `forward` with convolutions and products in the given precision, weights staying fp32. */
export function autocast<T>(
  { device, precision }: Pick<Compute, 'device' | 'precision'>,
  forward: () => Settled<T>,
): T {
  const before = native().setAutocast(device, precision === 'bf16')
  try {
    return settled(forward(), 'autocast')
  } finally {
    native().setAutocast(device, before)
  }
}

/** Waits until the device has finished, for honest timings. */
export function synchronize(): void {
  native().synchronize()
}

/** What this process runs on, for `doctor` and for every record. */
export function describeMachine() {
  const gpus = Array.from({ length: native().cudaDevices() }, (_, i) => native().cudaDevice(i)?.name ?? `cuda:${i}`)
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    gpus,
    engine: engineVersion,
    libtorch: native().versions().libtorch,
    libtorchBuild: native().versions().build,
    kernels: kernels(),
    blas: native().versions().blas,
    variables: numericVariables(),
    node: process.version,
    bf16: hasFastBf16('cpu'),
  }
}

/** The instructions that libtorch's own operators were chosen for. */
function kernels(): string {
  return /CPU capability usage: (\w+)/.exec(native().versions().build)?.[1] ?? 'unknown'
}

/**
 * Variables of the environment that change which kernels the libraries below choose, and so their roundings. How many
 * threads there are is settled by ourselves, and how they wait rounds nothing.
 */
function numericVariables(): Record<string, string> {
  const named = Object.entries(process.env).filter(
    ([name]) => /^(OPENBLAS|MKL|ATEN|ONEDNN|DNNL|OMP|KMP)_/.test(name) && !/_(NUM_THREADS|WAIT_POLICY)$/.test(name),
  )
  return Object.fromEntries(named.sort()) as Record<string, string>
}
