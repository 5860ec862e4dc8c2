import { defineConfig } from 'vitest/config'
import { closingLine } from './test/closing-line.ts'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // The addon keeps its tensors per process, and a crash in it should cost one file.
    pool: 'forks',
    maxWorkers: 2,
    // Ten times what the slowest test takes alone: cores may be shared with other work.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // One core per test file: threads that wait for each other would spin against the other file's.
    env: { OMP_NUM_THREADS: '1', OMP_WAIT_POLICY: 'passive' },
    reporters: ['default', closingLine],
  },
})
