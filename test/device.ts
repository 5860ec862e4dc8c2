import type { Compute } from '../src/tensor/device.ts'

/** Where tests compute: the CPU, or what `DECONFOUND_TEST_DEVICE` says (`cuda:0`). */
export const device = process.env.DECONFOUND_TEST_DEVICE || 'cpu'

/** fp32 on that device, with one thread beside the other test files. */
export const compute: Compute = { device, precision: 'fp32', threads: 1 }

/** A tolerance that holds on the CPU; GPUs multiply with fewer digits. */
export const tolerance = (onCpu: number) => (device === 'cpu' ? onCpu : Math.max(onCpu, 1e-3))
