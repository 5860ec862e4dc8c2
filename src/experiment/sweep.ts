import { rmSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { z } from 'zod'
import { asUserError, exitCode, UserError } from '../errors.ts'
import { check } from './check.ts'
import { type Config, parseConfigFile, resolveConfig } from './config.ts'
import type { Listener } from './listener.ts'
import { claimRun } from './record.ts'
import { readRecord, recordName, writeRecord } from './results.ts'
import { resumeRun } from './resume.ts'

// Many experiments whose records fill one folder. Any number of processes may work on the same sweep at once: each claims
// a cell by the lock of its directory; a cell broken off goes on where it was, and one that is recorded is not run again.

const value = z.union([z.string(), z.number(), z.boolean()])
const sweepFile = z.strictObject({
  record: z.string().describe('the folder of the records'),
  settings: z.record(z.string(), value).default({}).describe('what all experiments share, as in a configuration'),
  grid: z.record(z.string(), z.array(value).min(1)).default({}).describe('all combinations of these'),
  also: z.array(z.record(z.string(), value)).default([]).describe('single experiments besides'),
})

export interface Sweep {
  readonly record: string
  /** every experiment, checked */
  readonly cells: readonly Config[]
}

/** Reads a sweep; a mistake in any of its experiments is told before the first one runs. */
export function parseSweep(text: string, file: string): Sweep {
  const { record, settings, grid, also } = check(sweepFile, parseConfigFile(text, file), `'${file}'`, '')
  const combined = Object.keys(grid).length > 0 ? combinations(Object.entries(grid)) : []
  const cells = [...combined, ...also].map((own) => resolveConfig({ ...settings, ...own }, `'${file}'`))
  const named = new Map<string, Config>()
  for (const cell of cells) {
    const name = recordName(cell)
    if (named.has(name)) {
      const facts = `two of its experiments are the same, '${name}'`
      throw new UserError('usage', `Cannot use '${file}': ${facts}; remove one`)
    }
    named.set(name, cell)
  }
  if (cells.length === 0)
    throw new UserError('usage', `Cannot use '${file}': it names no experiments in 'grid' or 'also'`)
  return { record, cells }
}

/** All choices of one value each; the last name varies fastest. */
export function combinations(axes: readonly [string, readonly unknown[]][]): Record<string, unknown>[] {
  return axes.reduce<Record<string, unknown>[]>(
    (chosen, [name, values]) => chosen.flatMap((each) => values.map((value) => ({ ...each, [name]: value }))),
    [{}],
  )
}

export interface SweepResult {
  readonly record: string
  readonly recorded: number
  readonly failed: readonly { readonly cell: string; readonly message: string; readonly code: number }[]
}

/** Runs what is not recorded yet, one experiment at a time, until every cell is recorded, here or elsewhere, or has failed. */
export async function runSweep({ record, cells }: Sweep, runs: string, listener: Listener): Promise<SweepResult> {
  const failed: { cell: string; message: string; code: number }[] = []
  const told = new Set<string>()
  let left = cells
  let wait = 1
  while (left.length > 0) {
    const busy: Config[] = []
    const reasons = new Set<string>()
    for (const cell of left) {
      const name = recordName(cell)
      try {
        if (readRecord(record, cell)) continue
        if (listener.interrupted()) throw new UserError('saved', 'Stopped on request; everything is saved')
        await runCell(cell, { record, listener, path: join(resolve(runs), name) })
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
  { record, path, listener }: { record: string; path: string; listener: Listener },
): Promise<void> {
  const folder = claimRun(path, cell)
  try {
    if (readRecord(record, cell)) return // recorded between the look and the claim
    listener.say(`${basename(path)} ${folder.fresh ? 'begins' : 'goes on'}`)
    writeRecord(record, folder, await resumeRun(folder, listener))
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
