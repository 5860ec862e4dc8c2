import { existsSync, readdirSync, rmSync } from 'node:fs'
import type { DefenseEntry } from '../defenses/defense.ts'
import { defenses } from '../defenses/index.ts'
import { exitCode, UserError } from '../errors.ts'
import type { Listener } from '../experiment/prepare/listener.ts'
import { trimCache } from '../experiment/store/cache-usage.ts'
import type { RunFolder } from '../experiment/store/run-folder.ts'
import { cacheLimit } from '../files.ts'
import { progressListener, type Stages } from './progress.ts'
import { interrupted, unlessCutOff } from './stopping.ts'
import { shown, tell } from './terminal.ts'

/** Runs `body` with a progress display, which tells the stages of training as `stages` does, until it ends or a signal cuts it off. */
export async function withListener<T>(body: (listener: Listener) => Promise<T>, stages: Stages = {}): Promise<T> {
  const limit = cacheLimit() // a mistake in it is told before hours of work
  const listener = progressListener(interrupted, stages)
  try {
    return await unlessCutOff(body(listener))
  } finally {
    listener.stop()
    trimCache(limit)
  }
}

/**
 * Makes a run's directory, or opens the one given, and runs `body` in it. It is unlocked afterwards. A new run that ended
 * before anything was trained leaves nothing behind; one that another try may finish says how to go on.
 */
export async function inRun<T>(
  open: () => RunFolder,
  body: (folder: RunFolder, listener: Listener) => Promise<T>,
): Promise<T> {
  const folder = open()
  try {
    return await withListener((listener) => body(folder, listener), stagesOf(folder))
  } catch (error) {
    const begun = !folder.fresh || hasCheckpoints(folder)
    if (!begun) rmSync(folder.path, { recursive: true })
    const code = error instanceof UserError ? error.code : exitCode.bug
    if (begun && mayGoOn.includes(code)) tell(`to go on: deconfound resume ${shown(folder.path)}`)
    else if (code === exitCode.saved) tell('nothing was trained yet: to go on, give the same command again')
    throw error
  } finally {
    folder.close()
  }
}

/** The stages that a run goes through: an audit trains no model. */
function stagesOf({ kind, config }: RunFolder): Stages {
  const { stages, search } = defenses[config.defense] as DefenseEntry
  if (kind !== 'audit' || !search) return stages
  return Object.fromEntries(Object.entries(stages).filter(([name]) => search.stages.includes(name)))
}

/** Ends after which the same settings and data may well get further. */
const mayGoOn: readonly number[] = [exitCode.saved, exitCode.space, exitCode.bug]

function hasCheckpoints({ file }: RunFolder): boolean {
  const folder = file('checkpoints')
  return existsSync(folder) && readdirSync(folder).length > 0
}
