import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { exampleResult } from '../../../test/example-result.ts'
import { resolveConfig } from '../settings/config.ts'
import { identityOf, readRecord, readRecordFile, recordName, writeRecord } from './records.ts'
import type { RunFolder } from './run-folder.ts'

const home = mkdtempSync(join(tmpdir(), 'records-'))
afterAll(() => rmSync(home, { recursive: true }))

const config = resolveConfig({ dataset: 'signs', attack: 'badnets' })
/** A run in which nothing was trained. */
const run = { config, file: (name: string) => join(home, 'nothing', name) } as RunFolder
const fresh = () => mkdtempSync(join(home, 'folder-'))

describe('a record', () => {
  it('gives back the result of a run, also of one that had no stage', () => {
    const folder = fresh()
    const result = exampleResult({ cleanAccuracy: 0.7, suspicion: { verdict: 'weak' }, run: '/some/where/x' })
    const path = writeRecord(folder, run, result)
    expect(readRecordFile(path)).toEqual({ config, result: { ...result, run: 'x' } })
    expect(readRecord(folder, config, identityOf(result))).toEqual({ ...result, run: 'x' })
    expect(JSON.parse(readFileSync(path, 'utf8')).metrics).toEqual([])
  })

  it.each([
    ['training images', { trainHash: 'other' }],
    ['test images', { testHash: 'other' }],
    ['precision', { precision: 'bf16' }],
  ] as const)('of other %s is another record', (_, environment) => {
    const folder = fresh()
    const [one, other] = [exampleResult(), exampleResult({ environment, cleanAccuracy: 0.5 })]
    writeRecord(folder, run, one)
    expect(readRecord(folder, config, identityOf(other))).toBeUndefined()
    writeRecord(folder, run, other)
    expect(readdirSync(folder).length).toBe(2)
    expect(readRecord(folder, config, identityOf(one))?.cleanAccuracy).toBe(0.9)
    expect(readRecord(folder, config, identityOf(other))?.cleanAccuracy).toBe(0.5)
  })

  it('is another one where labels are balanced, and bears the old name where they are not', () => {
    const name = (more: object) =>
      recordName(resolveConfig({ dataset: 'signs', attack: 'badnets', ...more }), identityOf(exampleResult()))
    expect(name({ balance: 'sampling' })).toContain('-balance=sampling-')
    expect(name({ balance: 'none' })).toBe(name({}))
    expect(name({})).not.toContain('balance')
  })

  it('is not written of what is no result', () => {
    const broken = { ...exampleResult(), cleanAccuracy: 85 }
    expect(() => writeRecord(fresh(), run, broken)).toThrow('cleanAccuracy')
  })
})

describe('a record of version 1', () => {
  const { version: _, skippedFiles: __, excessSuccessRate: ___, ...old } = exampleResult()
  const findings = { suspects: 3, auroc: 0.9, aurocRelabelled: null, truePositives: 1, falsePositives: 0 }
  const read = (changes: object) => {
    const path = join(fresh(), 'old.json')
    writeFileSync(path, JSON.stringify({ result: { ...old, ...changes }, config: { dataset: 'signs' } }))
    return readRecordFile(path).result
  }

  it('is of the first engine', () => {
    const { engine: _, ...environment } = exampleResult().environment
    expect(read({ environment }).environment.engine).toBe(1)
  })

  it('has the excess that follows from its figures', () => {
    const reference = { cleanAccuracy: 0.8, attackSuccessRate: 0.01 }
    const result = read({ attackSuccessRate: 0.03, reference })
    expect(result.excessSuccessRate).toBeCloseTo(0.02)
    expect(result.reference).toEqual({ ...reference, collapsed: false, seconds: null })
  })

  it.each([
    ['deconfound', ['The evidence is weak: few images'], 'weak', 0.1],
    ['deconfound', [], 'found', 0.1],
    ['deconfound', ['Nothing could be judged: they are few'], 'not-judged', null],
    ['abl', [], 'not-judged', null],
  ])('of %s with remarks %j has the verdict %s', (defense, remarks, verdict, estimatedRate) => {
    const result = read({ defense, suspicion: { ...findings, estimatedRate: 0.1, estimatedTarget: 0, remarks } })
    expect(result.suspicion).toMatchObject({ verdict, estimatedRate, remarks })
  })
})

describe('a file that is no record', () => {
  it.each([
    ['something else', '{"a": 1}', 'it holds no result'],
    ['half a record', '{"result": {"cleanAcc', 'restore or remove it'],
    ['a result that lacks something', JSON.stringify({ result: { version: 2 }, config: {} }), 'it holds no result'],
    ['of a newer program', JSON.stringify({ result: { version: 3 }, config: {} }), 'a newer deconfound wrote'],
  ])('is refused: %s', (_, text, message) => {
    const path = join(fresh(), 'x.json')
    writeFileSync(path, text)
    expect(() => readRecordFile(path)).toThrow(message)
  })
})
