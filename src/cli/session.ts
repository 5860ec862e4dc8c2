import { existsSync, rmSync } from 'node:fs'
import { exitCode, UserError } from '../errors.ts'
import type { Listener } from '../experiment/prepare/listener.ts'
import type { RunFolder } from '../experiment/store/run-folder.ts'
import { progressListener } from './progress.ts'

let asked = false

/** From now on the first SIGINT or SIGTERM asks for saving and stopping; a second one ends the process. */
export function listenForSignals(): void {
  const ask = () => {
    asked = true
  }
  for (const signal of ['SIGINT', 'SIGTERM']) if (process.listenerCount(signal) === 0) process.once(signal, ask)
}

/** Runs `body` with a progress display. */
export async function withListener<T>(body: (listener: Listener) => Promise<T>): Promise<T> {
  const listener = progressListener(() => asked)
  try {
    return await body(listener)
  } finally {
    listener.stop()
  }
}

/**
 * Makes a run's directory, or opens the one given, and runs `body` in it. It is unlocked afterwards; a run that ended
 * before it had read its data leaves nothing behind, one broken off later says how to go on.
 */
export async function inRun<T>(
  open: () => RunFolder,
  body: (folder: RunFolder, listener: Listener) => Promise<T>,
): Promise<T> {
  const folder = open()
  listenForSignals()
  try {
    return await withListener((listener) => body(folder, listener))
  } catch (error) {
    const isUser = error instanceof UserError
    const mistaken = isUser && error.code === exitCode.usage // the same settings would fail again
    const begun = !folder.fresh || (existsSync(folder.file('environment.json')) && !mistaken)
    const hopeless = isUser && [exitCode.diverged, exitCode.usage].some((code) => code === error.code)
    if (begun && !hopeless) process.stderr.write(`to go on: deconfound resume ${folder.path}\n`)
    if (!begun) rmSync(folder.path, { recursive: true })
    throw error
  } finally {
    folder.close()
  }
}
