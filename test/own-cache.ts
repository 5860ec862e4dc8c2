import { vi } from 'vitest'
import { liveTensors } from '../src/tensor/tensor.ts'

/** A cache of the test's own. The addon, which lies in the user's, is loaded before. */
export function ownCache(folder: string): void {
  liveTensors()
  vi.stubEnv('XDG_CACHE_HOME', folder)
}
