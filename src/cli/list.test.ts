import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
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
    put('1-signs', 'experiment', { epochs: 2, seed: 1, rate: 0.1, 'dataset.size': 32 }, figures)
    put('2-signs', 'experiment', { epochs: 9, seed: 3, 'class-rate': 0.8 })
    put('3-train', 'training', { epochs: 30, seed: 1, rate: 0.1 }, { heldOutAgreement: 0.7006, suspicion })
    put('4-train', 'training', { epochs: 30, seed: 1 }, '{')
    const rows = (await listed('--runs', runs))
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/))
    expect(rows).toEqual([
      ['run', 'state', 'epochs', 'size', 'seed', 'rate', 'CA', 'ASR', 'agreement', 'flagged'],
      ['1-signs', 'finished', '2', '32', '1', '0.1', '90.00 %', '100.00 %', '–', '–'],
      ['2-signs', 'unfinished', '9', '–', '3', '0.8 of class', '–', '–', '–', '–'],
      ['3-train', 'finished', '30', '–', '1', '–', '–', '–', '70.06 %', '77 weak'],
      ['4-train', 'damaged', '30', '–', '1', '–', '–', '–', '–', '–'],
    ])
    const { runs: all } = JSON.parse(await listed('--runs', runs, '--json'))
    expect(all[1]).toEqual({
      run: '2-signs',
      kind: 'experiment',
      state: 'unfinished',
      settings: { epochs: 9, seed: 3, 'class-rate': 0.8 },
      result: null,
    })
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
