import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { summarize } from '../../src/experiment/measure/summary.ts'
import { silent } from '../../src/experiment/prepare/listener.ts'
import { parseSweep } from '../../src/experiment/store/sweep-file.ts'
import { runSweep } from '../../src/experiment/sweep.ts'
import { copyOfCase } from './cases.ts'

describe('a sweep whose data folder is another', () => {
  /** Runs a sweep of the case with its paths in the copy; the records that are there afterwards. */
  async function sweep(home: string, file: string, change = (text: string) => text) {
    const text = change(readFileSync(join(home, file), 'utf8')).replaceAll(/\b(first|second)\b/g, `${home}/$1`)
    const { cells } = parseSweep(text, file)
    const result = await runSweep({ record: join(home, 'records'), cells }, join(home, 'runs'), silent)
    return { result, records: readdirSync(join(home, 'records')) }
  }

  it('runs again, and keeps a record of each', async (context) => {
    const home = copyOfCase('sweep-other-data', context)
    expect((await sweep(home, 'sweep.yaml')).records.length).toBe(1)
    expect((await sweep(home, 'sweep.yaml')).records.length).toBe(1)
    const { records } = await sweep(home, 'sweep.yaml', (text) => text.replaceAll('first', 'second'))
    expect(records.length).toBe(2)
    const tested = records.map(
      (name) => JSON.parse(readFileSync(join(home, 'records', name), 'utf8')).result.cleanImages,
    )
    expect(tested.sort((a, b) => a - b)).toEqual([6, 12])
    expect(summarize(join(home, 'records')).cells.length).toBe(2)
  })

  it('has an experiment for each of two folders', async (context) => {
    const home = copyOfCase('sweep-other-data', context)
    const { result, records } = await sweep(home, 'both.yaml')
    expect(result).toMatchObject({ recorded: 2, failed: [] })
    expect(records.length).toBe(2)
  })
})
