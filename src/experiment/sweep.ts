import { rmSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { asUserError, exitCode, UserError } from '../errors.ts'
import { identify } from './prepare/data.ts'
import type { Listener } from './prepare/listener.ts'
import { goOnWithExperiment } from './resume.ts'
import type { Config } from './settings/config.ts'
import { experimentName, type Identity, readRecord, recordName, writeRecord } from './store/records.ts'
import { claimRun } from './store/run-folder.ts'
import type { Sweep } from './store/sweep-file.ts'
import { writePlan } from './store/sweep-plan.ts'

// Many experiments whose records fill one folder. Any number of processes may work on the same sweep at once: each claims
// a cell by the lock of its directory; a cell broken off goes on where it was, and one that is recorded is not run again.

export interface SweepResult {
  readonly record: string
  readonly recorded: number
  readonly failed: readonly { readonly cell: string; readonly message: string; readonly code: number }[]
}

/** Runs what is not recorded yet, one experiment at a time, until every cell is recorded, here or elsewhere, or has failed. */
export async function runSweep({ record, cells }: Sweep, runs: string, listener: Listener): Promise<SweepResult> {
  writePlan(runs, { record, cells })
  const failed: { cell: string; message: string; code: number }[] = []
  const told = new Set<string>()
  let left = cells
  let wait = 1
  while (left.length > 0) {
    const busy: Config[] = []
    const reasons = new Set<string>()
    for (const cell of left) {
      let name = experimentName(cell)
      try {
        const identity = await identify(cell, listener)
        name = recordName(cell, identity)
        if (readRecord(record, cell, identity)) continue
        if (listener.interrupted()) throw new UserError('saved', 'Stopped on request; everything is saved')
        await runCell(cell, { record, identity, listener, path: join(resolve(runs), name) })
      } catch (error) {
        const known = asUserError(error)
        if (!known || known.code === exitCode.saved) throw error
        if (known.code === exitCode.locked) {
          busy.push(cell)
          reasons.add(known.message)
        } else {
          listener.say(`${name} failed: ${known.message}`)
          failed.push({ cell: name, message: known.message, code: known.code })
        }
      }
    }
    if (busy.length > 0 && busy.length === left.length) {
      for (const reason of reasons) if (!told.has(reason)) listener.say(`waiting: ${reason}`)
      for (const reason of reasons) told.add(reason)
      await pause(listener, wait)
      wait = Math.min(longestWait, 2 * wait)
    } else wait = 1
    left = busy
  }
  return { record, recorded: cells.length - failed.length, failed }
}

/** Where something is locked, another process has the cell, or learns what it needs. */
async function runCell(
  cell: Config,
  { record, identity, path, listener }: { record: string; identity: Identity; path: string; listener: Listener },
): Promise<void> {
  const folder = claimRun(path, cell)
  try {
    if (readRecord(record, cell, identity)) return // recorded between the look and the claim
    listener.say(`${basename(path)} ${folder.fresh ? 'begins' : 'goes on'}`)
    writeRecord(record, folder, await goOnWithExperiment(folder, listener))
  } catch (error) {
    // A mistake in the settings would stand in the way of the mended ones.
    if (folder.fresh && asUserError(error)?.code === exitCode.usage) rmSync(path, { recursive: true })
    throw error
  } finally {
    folder.close()
  }
}

/** Seconds; a look may cost the reading of a data set. */
const longestWait = 30

/** Less where the sweep shall stop. */
async function pause(listener: Listener, seconds: number): Promise<void> {
  for (let tenth = 0; tenth < 10 * seconds && !listener.interrupted(); tenth++) await setTimeout(100)
}
