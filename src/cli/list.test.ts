import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { stringify } from 'yaml'
import { defenses } from '../defenses/index.ts'
import { main } from './main.ts'

const runs = mkdtempSync(join(tmpdir(), 'list-'))
afterAll(() => rmSync(runs, { recursive: true }))

function put(name: string, kind: string, settings: object, result?: object | string): void {
  mkdirSync(join(runs, name))
  writeFileSync(join(runs, name, 'kind'), kind)
  writeFileSync(join(runs, name, 'config.yaml'), stringify(settings))
  const text = typeof result === 'string' ? result : JSON.stringify(result)
  if (result !== undefined) writeFileSync(join(runs, name, 'result.json'), text)
}

async function listed(...words: string[]): Promise<string> {
  let text = ''
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((part) => {
    text += part
    return true
  })
  try {
    await main(['list', ...words])
  } finally {
    out.mockRestore()
  }
  return text
}

describe('a list of runs', () => {
  it('tells apart what has one name: by length, size, seed, rate, and what came out, training too', async () => {
    const suspicion = { verdict: 'weak', flagged: 77 }
    const figures = { cleanAccuracy: 0.9, attackSuccessRate: 1, suspicion: null }
    put(
      '20260131-123456-signs',
      'experiment',
      { dataset: 'signs', attack: 'blend', defense: 'cbd', epochs: 2, seed: 1, rate: 0.1, 'dataset.size': 32 },
      figures,
    )
    put('2-signs', 'experiment', { epochs: 9, seed: 3, 'class-rate': 0.8 })
    put(
      '3-train',
      'training',
      { data: '/here/photos', defense: 'deconfound', epochs: 30, seed: 1, rate: 0.1 },
      { heldOutAgreement: 0.7006, suspicion },
    )
    put('4-train', 'training', { epochs: 30, seed: 1 }, '{')
    for (const name of ['2-signs', '3-train', '4-train'])
      utimesSync(join(runs, name, 'config.yaml'), 1e9, 1_767_225_540) // 2025-12-31 23:59
    const rows = (await listed('--runs', runs))
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/))
    const facts = Object.fromEntries(rows[0]?.map((name, i) => [name, rows.slice(1).map((row) => row[i])]) ?? [])
    expect(facts).toEqual({
      run: ['2-signs', '3-train', '4-train', '20260131-123456-signs'],
      'began (UTC)': ['2025-12-31 23:59', '2025-12-31 23:59', '2025-12-31 23:59', '2026-01-31 12:34'],
      state: ['unfinished', 'finished', 'damaged', 'finished'],
      data: ['–', 'photos', '–', 'signs'],
      attack: ['–', '–', '–', 'blend'],
      defense: ['–', 'deconfound', '–', 'cbd'],
      epochs: ['9', '30', '30', '2'],
      size: ['–', '–', '–', '32'],
      seed: ['3', '1', '1', '1'],
      rate: ['0.8 of class', '–', '–', '0.1'],
      CA: ['–', '–', '–', '90.00 %'],
      ASR: ['–', '–', '–', '100.00 %'],
      agreement: ['–', '70.06 %', '–', '–'],
      verdict: ['–', 'weak', '–', '–'],
      flagged: ['–', '77', '–', '–'],
    })
    const { runs: all } = JSON.parse(await listed('--runs', runs, '--json'))
    expect(all[0]).toEqual({
      run: '2-signs',
      kind: 'experiment',
      state: 'unfinished',
      began: '2025-12-31T23:59:00.000Z',
      settings: { epochs: 9, seed: 3, 'class-rate': 0.8 },
      result: null,
    })
  })

  it('leaves out what no run has', async () => {
    const none = mkdtempSync(join(tmpdir(), 'list-'))
    expect(await listed('--runs', none)).toBe('There are no runs here yet\n')
    mkdirSync(join(none, 'a'))
    writeFileSync(join(none, 'a', 'kind'), 'experiment')
    writeFileSync(join(none, 'a', 'config.yaml'), 'seed: 1')
    expect((await listed('--runs', none)).split('\n')[0]).toMatch(/^run +began \(UTC\) +state +seed$/)
    rmSync(none, { recursive: true })
  })
})

describe('a list of defenses', () => {
  it('names the presets and the paper of each', async () => {
    const text = await listed('defenses')
    for (const { paper, presets } of Object.values(defenses)) {
      if (paper !== '') expect(text).toContain(paper)
      const names = Object.keys(presets)
      if (names.length > 1) expect(text).toContain(`--preset ${names.join(', ')} (default: ${names[0]})`)
    }
  })
})
