import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { exampleResult } from '../../../test/example-result.ts'
import { resolveConfig } from '../settings/config.ts'
import { writeRecord } from '../store/records.ts'
import type { RunFolder } from '../store/run-folder.ts'
import { estimate } from './statistics.ts'
import { summarize } from './summary.ts'

const home = mkdtempSync(join(tmpdir(), 'summary-'))
writeFileSync(join(home, 'metrics.jsonl'), '')
afterAll(() => rmSync(home, { recursive: true }))

let made = 0
const fresh = () => join(home, String(made++))

/** A record of such a run with such a result. */
function record(folder: string, settings: Record<string, unknown>, result: Parameters<typeof exampleResult>[0]): void {
  const config = resolveConfig({ dataset: 'signs', ...settings })
  const run = { config, file: (name: string) => join(home, name) } as RunFolder
  writeRecord(folder, run, exampleResult(result))
}

describe('the summary of a folder of records', () => {
  it('takes means over seeds, with Student’s interval', () => {
    const folder = fresh()
    for (const [seed, asr] of [0.1, 0.2, 0.6].entries())
      record(
        folder,
        { attack: 'blend', defense: 'nad', seed },
        { cleanAccuracy: 0.8, attackSuccessRate: asr, excessSuccessRate: asr - 0.1 },
      )
    const { cells } = summarize(folder)
    expect(cells.length).toBe(1)
    expect(cells[0]).toMatchObject({ experiment: 'blend', defense: 'nad paper', seeds: [0, 1, 2], collapsed: 0 })
    expect(cells[0]?.cleanAccuracy.mean).toBeCloseTo(0.8)
    expect(cells[0]?.attackSuccessRate?.mean).toBeCloseTo(0.3)
    expect(cells[0]?.excessSuccessRate?.mean).toBeCloseTo(0.2)
    // s = √0.07, t of 2 degrees of freedom
    expect(cells[0]?.attackSuccessRate?.margin).toBeCloseTo((4.303 * Math.sqrt(0.07)) / Math.sqrt(3), 3)
  })

  it('tells experiments apart by whatever differs among them, and says what they share', () => {
    const folder = fresh()
    const result = { cleanAccuracy: 0.8, attackSuccessRate: null }
    record(folder, { attack: 'wanet' }, result)
    record(folder, { attack: 'wanet', 'attack.noise': true }, result)
    record(folder, { attack: 'wanet', labelling: 'all-to-all' }, result)
    record(folder, { attack: 'sig' }, result)
    record(folder, { attack: 'wanet', epochs: 3 }, result)
    record(folder, { attack: 'wanet', batch: 64 }, result)
    const { cells, shared } = summarize(folder)
    expect(cells.map(({ experiment }) => experiment).sort()).toEqual([
      'sig, class-rate 0.8, epochs 15',
      'wanet noise, rate 0.1, epochs 15',
      'wanet, rate 0.1, epochs 15',
      'wanet, rate 0.1, epochs 15, batch 64',
      'wanet, rate 0.1, epochs 3',
      'wanet, rate 0.1, labelling all-to-all, epochs 15',
    ])
    expect(shared).toEqual({ dataset: 'signs', model: 'wrn' })
    expect(cells.every(({ attackSuccessRate }) => attackSuccessRate === null)).toBe(true)
  })

  it('counts the model that repairs began with as plain training, once for all of them', () => {
    const folder = fresh()
    const backdoored = { cleanAccuracy: 0.9, attackSuccessRate: 1, seconds: 60 }
    for (const defense of ['nad', 'mcr', 'fine-pruning'])
      record(folder, { attack: 'badnets', defense }, { cleanAccuracy: 0.8, attackSuccessRate: 0.1, backdoored })
    const { cells } = summarize(folder)
    const none = cells.find(({ defense }) => defense === 'none')
    expect(none).toMatchObject({ seeds: [1], cleanAccuracy: { mean: 0.9 }, trainingSeconds: { mean: 60 } })
    expect(none?.attackSuccessRate).toEqual({ mean: 1, margin: null, runs: 1 })
    expect(cells.length).toBe(4)
    record(
      folder,
      { attack: 'badnets', defense: 'none' },
      { cleanAccuracy: 0.9, attackSuccessRate: 1, collapsed: true },
    )
    expect(summarize(folder).cells.find(({ defense }) => defense === 'none')).toMatchObject({
      collapsed: 1,
      seeds: [1],
    })
  })

  it('takes means over all attacks, for defenses that were run against all of them', () => {
    const folder = fresh()
    const of = (attack: string, defense: string, seed: number, asr: number | null) =>
      record(folder, { attack, defense, seed }, { cleanAccuracy: 0.8, attackSuccessRate: asr })
    for (const seed of [1, 2]) {
      of('badnets', 'deconfound', seed, 0.01 * seed)
      of('blend', 'deconfound', seed, 0.03 * seed)
      of('none', 'deconfound', seed, null)
    }
    of('blend', 'deconfound', 3, 0.9)
    of('badnets', 'cbd', 1, 0.5)
    const { overall, cells } = summarize(folder)
    expect(overall.map(({ defense }) => defense)).toEqual(['deconfound'])
    expect(overall[0]).toMatchObject({ seeds: [1, 2], attackSuccessRate: { runs: 2 } })
    expect(overall[0]?.attackSuccessRate?.mean).toBeCloseTo(0.03) // of 0.02 and 0.04; seed 3 has no badnets
    expect(overall[0]?.attackSuccessRate?.margin).toBeCloseTo(12.706 * 0.01, 4)
    expect(cells.some(({ experiment }) => experiment === 'none')).toBe(true)
  })

  it('compares with training on clean data of the same seed, and tells the worst run', () => {
    const folder = fresh()
    const of = (attack: string, seed: number, [lost, excess]: [number, number]) =>
      record(
        folder,
        { attack, defense: 'deconfound', seed },
        {
          cleanAccuracy: 0.8 + 0.01 * seed - lost,
          reference: { cleanAccuracy: 0.8 + 0.01 * seed },
          attackSuccessRate: 0.02 + excess,
          excessSuccessRate: excess,
        },
      )
    of('badnets', 1, [0.01, -0.01])
    of('badnets', 2, [0.03, 0.002])
    of('blend', 1, [0, 0.004])
    const { cells, worst } = summarize(folder)
    expect(cells[0]?.accuracyDifference?.mean).toBeCloseTo(-0.02)
    const [only, ...others] = worst
    expect(others).toEqual([])
    expect(only?.accuracyDifference).toBeCloseTo(-0.03)
    expect(only?.excessSuccessRate).toBeCloseTo(0.004)
    record(folder, { attack: 'sig', defense: 'none' }, { cleanAccuracy: 0.8, attackSuccessRate: 1 })
    expect(summarize(folder).worst[1]).toEqual({ defense: 'none', accuracyDifference: null, excessSuccessRate: null })
  })

  it('names a defense by preset and changed options, and counts collapsed models', () => {
    const folder = fresh()
    const settings = { attack: 'badnets', defense: 'abl', preset: 'quick', 'defense.level': 0.3 }
    const suspicion = { auroc: 0.9, truePositiveRate: 0.8, falsePositiveRate: 0.01 }
    record(folder, settings, { cleanAccuracy: 0.1, attackSuccessRate: 1, collapsed: true, suspicion })
    const [cell] = summarize(folder).cells
    expect(cell).toMatchObject({ defense: 'abl quick level=0.3', collapsed: 1, auroc: { mean: 0.9 } })
  })

  it('counts the poisoned images that were not flagged', () => {
    const folder = fresh()
    const suspicion = { auroc: 0.9, truePositiveRate: 0.8, falsePositiveRate: 0.01 }
    record(folder, {}, { cleanAccuracy: 0.8, attackSuccessRate: 0.1, poisonedImages: 55, suspicion })
    expect(summarize(folder).cells[0]?.poisonLeft?.mean).toBe(11)
  })

  it('has records of other images as experiments of their own', () => {
    const folder = fresh()
    const result = { cleanAccuracy: 0.8, attackSuccessRate: 0.1 }
    for (const trainHash of ['one', 'two'])
      record(folder, { dataset: 'image-folder', attack: 'sig' }, { ...result, environment: { trainHash } })
    record(folder, { dataset: 'image-folder', attack: 'blend' }, { ...result, environment: { trainHash: 'one' } })
    const names = summarize(folder).cells.map(({ experiment }) => experiment)
    expect(names.map((name) => name.replace(/data \w{8}$/, 'data #')).sort()).toEqual([
      'blend, rate 0.1',
      'sig, class-rate 0.8, data #',
      'sig, class-rate 0.8, data #',
    ])
    expect(new Set(names).size).toBe(3)
    expect(summarize(folder).overall).toEqual([])
  })

  it('has drawn images of another seed as a run of the same experiment', () => {
    const folder = fresh()
    for (const seed of [1, 2]) record(folder, { seed }, { environment: { trainHash: String(seed) } })
    expect(summarize(folder).cells).toMatchObject([{ experiment: 'none', seeds: [1, 2] }])
  })

  it.each([
    ['precision', { precision: 'bf16' }, 'precision (1 of bf16, 1 of fp32)'],
    ['engine', { engine: 1 }, 'engine (1 of 1, 1 of 2)'],
  ] as const)('refuses records that differ in %s, unless told', (_, environment, facts) => {
    const folder = fresh()
    record(folder, { attack: 'sig' }, {})
    record(folder, { attack: 'blend' }, { environment })
    expect(() => summarize(folder)).toThrow(`its records differ in ${facts}. Give --mixed`)
    expect(summarize(folder, { mixed: true }).cells.length).toBe(2)
  })

  it('tells apart runs of one experiment and seed in two precisions', () => {
    const folder = fresh()
    for (const precision of ['bf16', 'fp32'] as const) record(folder, { attack: 'sig' }, { environment: { precision } })
    const names = summarize(folder, { mixed: true }).cells.map(({ experiment }) => experiment)
    expect(names.sort()).toEqual(['sig, bf16', 'sig, fp32'])
  })

  it('refuses folders that are not, that are empty, or that hold something else', () => {
    expect(() => summarize(join(home, 'none'))).toThrow('there is no such folder')
    expect(() => summarize(mkdtempSync(join(home, 'empty-')))).toThrow('it holds no records')
    const folder = mkdtempSync(join(home, 'other-'))
    writeFileSync(join(folder, 'x.json'), '{"a": 1}')
    expect(() => summarize(folder)).toThrow('it holds no result')
    writeFileSync(join(folder, 'x.json'), '{')
    expect(() => summarize(folder)).toThrow('Cannot read the record')
  })
})

describe('an estimate', () => {
  it('has no interval for one run, and is null for none', () => {
    expect(estimate([0.5])).toEqual({ mean: 0.5, margin: null, runs: 1 })
    expect(estimate([])).toBeNull()
    expect(estimate([1, 1])).toEqual({ mean: 1, margin: 0, runs: 2 })
  })
})
