import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { UserError } from '../errors.ts'
import { packageRoot, rememberedAddon } from './build.ts'

/** A tensor in the addon's table; a stale one is refused, never followed. */
export type Handle = number

/** What may be passed to an operator: tensors as handles. */
export type NativeArgument = number | bigint | boolean | string | null | undefined | readonly NativeArgument[]
export type NativeResult = number | boolean | string | null | undefined | NativeResult[]

/** The addon's functions. Shapes in elements, memory in bytes. */
export interface Native {
  find(operator: string): [id: number, holdsTensors: boolean[]]
  call(operator: number, ...parameters: NativeArgument[]): NativeResult
  fromBytes(data: NodeJS.TypedArray, shape: readonly number[], dtype: number): Handle
  mapFile(path: string): ArrayBuffer
  borrow(data: Uint8Array, shape: readonly number[]): Handle
  willNeed(data: Uint8Array, from: number, length: number): void
  toBytes(tensor: Handle): ArrayBuffer
  shape(tensor: Handle): number[]
  dtype(tensor: Handle): number
  device(tensor: Handle): string
  byteLength(tensor: Handle): number
  item(tensor: Handle): number
  release(tensor: Handle): boolean
  liveCount(): number
  adjustMemory(bytes: number): number
  backward(loss: Handle): void
  gradients(output: Handle, inputs: readonly Handle[]): (Handle | null)[]
  gradientsOf(leaves: readonly Handle[]): (Handle | null)[]
  clearGradients(leaves: readonly Handle[]): void
  requiresGradient(tensor: Handle): boolean
  setGradMode(enabled: boolean): boolean
  keepFreedMemory(): void
  setThreads(count: number): void
  threads(): number
  versions(): { libtorch: string; build: string; blas: string }
  cudaDevices(): number
  cudaDevice(index: number): { name: string; memory: number; computeCapability: number } | null
  synchronize(): void
  setAutocast(device: string, enabled: boolean): boolean
}

let loaded: Native | undefined
let keepsMemory = false

/** The addon, loaded at first use and compiled before that where it is missing. */
export function native(): Native {
  loaded ??= load()
  return loaded
}

/**
 * Makes malloc keep what is freed, for the whole process and for good: training whose single results exceed 32 MB runs at
 * twice the speed. The command line does so; of a program that uses the package, it is the program's choice.
 */
export function keepFreedMemory(): void {
  keepsMemory = true
  loaded?.keepFreedMemory()
}

function load(): Native {
  const require = createRequire(import.meta.url)
  let addon = rememberedAddon()
  if (!addon) {
    // A child compiles, because loading is synchronous and compiling is not; its words go to standard error.
    const script = join(packageRoot(), 'scripts/build-addon.js')
    const { status } = spawnSync(process.execPath, [script], { stdio: ['ignore', 2, 'inherit'] })
    if (status !== 0)
      throw new UserError('usage', 'Cannot load libtorch: its addon was not built, for the reason above')
    addon = rememberedAddon()
  }
  if (!addon) throw new Error('The addon was built and is not there')
  try {
    const found = require(addon) as Native
    if (keepsMemory) found.keepFreedMemory()
    return found
  } catch (error) {
    const remedy = "'deconfound doctor' tells which libtorch is meant; LIBTORCH chooses another"
    throw new UserError('usage', `Cannot load libtorch: ${(error as Error).message.split('\n')[0]}; ${remedy}`)
  }
}
