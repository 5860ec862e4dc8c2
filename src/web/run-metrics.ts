import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import type { Metrics } from './answers.ts'
import { hasFile, type IndexedRun } from './run-index.ts'

/** The whole lines of metrics.jsonl from a byte on; the next call goes on where they end. */
export function readMetricsFrom({ path, line: { state } }: IndexedRun, from: number): Metrics {
  if (!hasFile(path, 'metrics.jsonl')) return { lines: [], next: 0, anew: from > 0, state }
  const file = openSync(join(path, 'metrics.jsonl'), 'r')
  try {
    const { size } = fstatSync(file)
    const start = from <= size ? from : 0 // a file that became shorter is another file
    const bytes = Buffer.alloc(size - start)
    const read = readSync(file, bytes, 0, bytes.length, start)
    const end = bytes.lastIndexOf(10, read - 1) + 1 // the last line may not be whole yet
    const lines = bytes.toString('utf8', 0, end).split('\n').flatMap(parsed)
    return { lines, next: start + end, anew: start !== from, state }
  } finally {
    closeSync(file)
  }
}

/** None of what is no JSON object: a torn line says nothing of an epoch. */
function parsed(line: string): Record<string, unknown>[] {
  try {
    const value = JSON.parse(line)
    return typeof value === 'object' && value !== null ? [value] : []
  } catch {
    return []
  }
}
