import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { auditSchema } from '../src/experiment/store/schema.ts'
import { command } from './command.ts'

// A folder of traffic signs, a tenth of them poisoned, and its clean twin: searched, reviewed, trained on without what was
// dropped. The search is a short one.

const home = mkdtempSync(join(tmpdir(), 'audit-'))
afterAll(() => rmSync(home, { recursive: true }))
const at = (...names: string[]) => join(home, ...names)

const signs = ['--dataset.train', '700', '--dataset.test', '24', '--threads', '1', '--attack', 'badnets']
const quick = ['--defense.judged-images', '300', '--batch', '32', '--flip', 'false']
const short = ['--defense.divisions', '1', '--defense.confounder-epochs', '1', ...quick]
const here = ['--threads', '1', '--runs', at('runs'), '--json']

const audit = async (data: string, ...words: string[]) => {
  const done = await command('audit', data, ...short, ...here, ...words)
  return { ...done, result: auditSchema.parse(JSON.parse(done.out)) }
}
let poisoned: Awaited<ReturnType<typeof audit>>
const run = () => poisoned.result.run

/** Names and times of all files in a folder. */
const state = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => `${name} ${statSync(join(folder, name)).mtimeMs}`)

beforeAll(async () => {
  await command('poison', ...signs, '--attack.size', '6', '--out', at('poisoned'))
  await command('poison', ...signs, '--rate', '0', '--out', at('clean'))
  poisoned = await audit(at('poisoned'), '--fail-on', '0.01')
}, 120_000)

describe('audit', () => {
  it('finds the poison and its class, and nearly nothing else, and exits with 10 above --fail-on', () => {
    const { code, result, error } = poisoned
    expect(code).toBe(10)
    expect(error).toMatch(/10\.00 % of the images are flagged, more than 1\.00 %/)
    expect(result.verdict).toBe('found')
    expect(result.flaggedLabel).toBe('limit-30')
    const truth = JSON.parse(readFileSync(at('poisoned-truth', 'truth.json'), 'utf8'))
    const poison = new Set(truth.poisoned.map(({ file }: { file: string }) => file))
    const lines = readFileSync(result.files.suspectsLines, 'utf8').trimEnd().split('\n')
    const suspects = lines.map((line) => JSON.parse(line) as { flagged: boolean; file: string })
    expect(suspects.length).toBe(700)
    const flagged = suspects.filter((suspect) => suspect.flagged)
    expect(flagged.length).toBe(result.flagged)
    const hits = flagged.filter(({ file }) => poison.has(file)).length
    expect(hits / poison.size).toBeGreaterThanOrEqual(0.98) // 69 of 70
    expect((flagged.length - hits) / (700 - poison.size)).toBeLessThanOrEqual(0.01)
    expect(result.suspicion.remarks).toContainEqual(
      expect.stringMatching(/^\d+ flagged images and .* look the same at one place: 6×6 pixels at the bottom right$/),
    )
  })

  it('trains no model, and leaves a report, lists and pictures', () => {
    const names = readdirSync(run())
    expect(names).toEqual(
      expect.arrayContaining(['report.html', 'suspects.csv', 'suspects.jsonl', 'suspects.png', 'figures', 'pictures']),
    )
    expect(names).not.toContain('model.safetensors')
    expect(readFileSync(join(run(), 'report.html'), 'utf8')).toContain('Poisoned images found')
    expect(readFileSync(join(run(), 'metrics.jsonl'), 'utf8')).not.toContain('"stage":"model"')
  })

  it('finds none in the clean twin, and exits with 0', async () => {
    const { code, result } = await audit(at('clean'), '--fail-on', '0.01')
    expect({ code, verdict: result.verdict, flagged: result.flagged }).toEqual({ code: 0, verdict: 'none', flagged: 0 })
    expect(readFileSync(result.files.report, 'utf8')).toContain('No poisoned images found')
  }, 60_000)

  it('gives its result again when resumed, and draws its report again', async () => {
    const again = await command('resume', run(), '--json')
    expect(JSON.parse(again.out)).toEqual(poisoned.result)
    const before = readFileSync(join(run(), 'report.html'), 'utf8')
    expect((await command('report', run())).code).toBe(0)
    expect(readFileSync(join(run(), 'report.html'), 'utf8')).toBe(before)
  })

  it('refuses a share that is none, and a defense that does not search by itself', async () => {
    const wrong = await command('audit', at('clean'), '--fail-on', '1%')
    expect([wrong.code, wrong.error]).toEqual([2, expect.stringContaining("Cannot use --fail-on '1%'")])
    const other = await command('audit', at('clean'), '--defense', 'nad')
    expect([other.code, other.error]).toEqual([
      2,
      expect.stringMatching(/Cannot audit by 'nad'.*choose cbd or deconfound/),
    ])
  })
})

describe('review', () => {
  it('records decisions, keeps those made before, and touches no image', async () => {
    const before = state(at('poisoned'))
    const open = JSON.parse((await command('review', run(), '--json')).out)
    expect(open.counts).toEqual({ keep: 0, drop: 0, unsure: 0 })
    expect(open.undecided.length).toBe(poisoned.result.flagged)
    const [first, second] = open.undecided as [string, string]
    writeFileSync(at('good.txt'), `${first}\n`)
    writeFileSync(at('odd.csv'), `rank,file\n1,"${second}"\n`)
    await command('review', run(), '--keep', at('good.txt'), '--unsure', at('odd.csv'))
    const done = JSON.parse((await command('review', run(), '--drop', 'flagged', '--json')).out)
    expect(done.counts).toEqual({ keep: 1, drop: poisoned.result.flagged - 2, unsure: 1 })
    expect(done.undecided).toEqual([])
    expect(readFileSync(done.decisions, 'utf8')).toContain(`"${first}","limit-30",keep`)
    expect(state(at('poisoned'))).toEqual(before)
  })

  it('names what is no image of the run', async () => {
    writeFileSync(at('bad.txt'), 'nowhere.png\n')
    const { code, error } = await command('review', run(), '--drop', at('bad.txt'))
    expect([code, error]).toEqual([2, expect.stringContaining("'nowhere.png' is no image of the run")])
  })

  it('gives a list of what is kept, which train takes as data', async () => {
    const left = poisoned.result.flagged - 1
    for (const out of [at('kept.csv'), at('kept.jsonl')]) {
      const list = JSON.parse((await command('clean-list', run(), '--out', out, '--json')).out)
      expect(list.kept).toBe(700 - left)
      const checked = JSON.parse((await command('train', out, '--dry-run', '--holdout', '0', '--json')).out)
      expect(checked.trainingImages).toBe(700 - left)
    }
    const again = await command('clean-list', run(), '--out', at('kept.csv'))
    expect([again.code, again.error]).toEqual([2, expect.stringContaining('there is such a file already')])
    const apart = await command('clean-list', run(), '--out', at('runs', 'kept.csv'))
    expect([apart.code, existsSync(at('runs', 'kept.csv'))]).toEqual([2, false])
  })

  it('lets train leave out what was dropped and what is unsure', async () => {
    const words = ['--dry-run', '--holdout', '0', '--json', '--without', join(run(), 'decisions.csv')]
    const { out, error } = await command('train', at('poisoned'), ...words)
    const left = poisoned.result.flagged - 1
    expect(JSON.parse(out).trainingImages).toBe(700 - left)
    expect(error).toContain(`${left} images are left out by`)
  })

  it('refuses decisions on other data', async () => {
    writeFileSync(at('other.csv'), 'file,decision\nelsewhere.png,drop\n')
    const other = await command('train', at('poisoned'), '--dry-run', '--without', at('other.csv'))
    expect([other.code, other.error]).toEqual([3, expect.stringContaining('none of its 1 images is among these')])
    writeFileSync(at('other.csv'), 'file,decision\nelsewhere.png,perhaps\n')
    const word = await command('train', at('poisoned'), '--dry-run', '--without', at('other.csv'))
    expect([word.code, word.error]).toEqual([3, expect.stringMatching(/line 2: 'perhaps' is no decision/)])
  })
})
