import { createRun, openRun, type RunFolder } from '../experiment/record.ts'
import type { Listener } from '../experiment/listener.ts'
import { progressListener } from './progress.ts'

/** Runs `body` with a progress display; the first SIGINT or SIGTERM asks it to save and stop. */
export async function withListener<T>(body: (listener: Listener) => Promise<T>): Promise<T> {
  let asked = false
  const ask = () => {
    asked = true
  }
  process.once('SIGTERM', ask)
  process.once('SIGINT', ask)
  const listener = progressListener(() => asked)
  try {
    return await body(listener)
  } finally {
    listener.stop()
    process.removeListener('SIGTERM', ask)
    process.removeListener('SIGINT', ask)
  }
}

/** Runs `body` in a run's directory, which is unlocked afterwards, and says how to go on if it is broken off. */
export async function inRun<T>(folder: RunFolder, body: (folder: RunFolder, listener: Listener) => Promise<T>): Promise<T> {
  try {
    process.stderr.write(`run directory: ${folder.path}\n`)
    return await withListener((listener) => body(folder, listener))
  } catch (error) {
    process.stderr.write(`to go on: deconfound resume ${folder.path}\n`)
    throw error
  } finally {
    folder.close()
  }
}

export { createRun, openRun }
