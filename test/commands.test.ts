import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { liveTensors } from '../src/tensor/tensor.ts'
import { command } from './command.ts'
import { device } from './device.ts'

// The commands about poisoned data, as a shell would give them.

const home = mkdtempSync(join(tmpdir(), 'commands-'))
liveTensors() // loads the addon, which lies in the cache that the next line hides
vi.stubEnv('XDG_CACHE_HOME', join(home, 'cache'))
const small = ['--dataset.train', '48', '--dataset.test', '24', '--threads', '1', '--device', device]
const quick = ['--epochs', '1', '--batch', '24', '--model.depth', '10', '--threads', '1', '--device', device]
const at = (name: string) => join(home, name)

afterAll(() => {
  vi.unstubAllEnvs()
  rmSync(home, { recursive: true })
})

const json = async (...words: string[]) => {
  const { code, out, error } = await command(...words, '--json')
  expect(error).not.toContain('Cannot')
  expect(code).toBe(0)
  return JSON.parse(out)
}

describe('poison, train, evaluate', () => {
  let run = ''
  it('go together: the model of a poisoned folder is measured against the trigger it was poisoned by', async () => {
    const poisoned = await json('poison', '--attack', 'badnets', '--out', at('signs'), ...small)
    expect(poisoned).toMatchObject({ out: at('signs'), truth: at('signs-truth'), images: 48, poisonedImages: 5 })
    ;({ run } = await json('train', at('signs'), '--defense', 'none', '--runs', at('runs'), ...quick))
    const measured = await json('evaluate', run, '--trigger', at('signs-truth'))
    expect(measured).toMatchObject({ trigger: poisoned.trigger, cleanImages: 24, triggeredImages: 22 })
    const { out } = await command('evaluate', run, '--trigger', at('signs-truth'))
    expect(out).toContain(`trigger ${poisoned.trigger.slice(0, 16)} of ${at('signs-truth')}`)
  })

  it('refuse another attack beside a recorded trigger', async () => {
    for (const words of [
      ['--attack', 'blend'],
      ['--attack.size', '2'],
    ]) {
      const { code, error } = await command('evaluate', run, '--trigger', at('signs-truth'), ...words)
      expect([code, error]).toEqual([2, expect.stringContaining(`Cannot use '${words[0]?.slice(2)}' with --trigger`)])
    }
    expect(await command('evaluate', run, '--trigger', home)).toMatchObject({ code: 2 })
    expect(await command('evaluate', 'x')).toMatchObject({ code: 2, error: expect.stringContaining("a model at 'x'") })
  })

  it('go together on a plain folder, of which poison leaves out a share to measure on', async () => {
    const photos = at('signs') // class folders, and nothing beside them
    const poisoned = await command('poison', photos, '--attack', 'badnets', '--out', at('copy'), '--threads', '1')
    expect(poisoned.error).toContain('no test images there: 12 of 48 images are set apart to measure on')
    const trained = await json('train', at('copy'), '--defense', 'none', '--runs', at('runs'), ...quick)
    const measured = await json('evaluate', trained.run, '--trigger', at('copy-truth'))
    expect(measured).toMatchObject({ data: photos, cleanImages: 12, triggeredImages: 11, remarks: [] })
    const truth = JSON.parse(readFileSync(join(at('copy-truth'), 'truth.json'), 'utf8'))
    expect(truth.trigger).toBe(measured.trigger)
    const direct = await json('train', photos, '--defense', 'none', '--runs', at('runs'), ...quick)
    const { remarks } = await json('evaluate', direct.run, '--trigger', at('copy-truth'))
    expect(remarks).toEqual([expect.stringContaining('The model was trained on these test images too')])
    // the trained model has seen all images of its own folder: nothing is left to measure on
    const { code, error } = await command('evaluate', trained.run)
    expect([code, error]).toEqual([
      3,
      expect.stringContaining(
        `'${at('copy')}': it has no test images; measure against the trigger in '${at('copy-truth')}'`,
      ),
    ])
  })

  it('leave nothing out where told so', async () => {
    const words = ['--attack', 'badnets', '--test-share', '0', '--out', at('whole'), '--threads', '1']
    expect(await json('poison', at('signs'), ...words)).toMatchObject({ images: 48 })
  })
})

describe('poison', () => {
  it('says what it did', async () => {
    const { code, out } = await command('poison', '--attack', 'blend', '--rate', '0.25', '--out', at('said'), ...small)
    expect(code).toBe(0)
    expect(out).toContain('48 of 3×32×32 in 12 classes')
    expect(out).toContain('12, 25.00 %')
    expect(out).toContain(at('said-truth'))
  })

  it('takes a folder as its first word', async () => {
    const words = ['--attack', 'badnets', '--out', at('again'), '--threads', '1', '--device', device]
    expect(await json('poison', at('said'), ...words)).toMatchObject({ images: 36, poisonedImages: 4 })
    const config = readFileSync(join(at('again-truth'), 'config.yaml'), 'utf8')
    expect(config).toContain('dataset: image-folder')
    const { out } = await command('poison', at('said'), '--attack', 'badnets', '--print-config')
    expect(out).toContain(`data: ${at('said')}`)
  })

  it.each([
    ['without --out', ['--attack', 'badnets'], 'give --out a new folder'],
    ['without an attack', ['--out', 'x'], "attack 'none': it does nothing; choose one with --attack"],
    ['where something is', ['--attack', 'badnets', '--out', home], 'it is not empty; name a new folder'],
    ['in a form unknown', ['--attack', 'badnets', '--format', 'tar', '--out', 'x'], 'folders, cifar'],
    ['in a form too small', ['--attack', 'badnets', '--format', 'cifar', '--out', 'x', ...small], '12 classes'],
  ])('is refused %s', async (_, words, reason) => {
    const { code, error } = await command('poison', ...words)
    expect([code, error]).toEqual([2, expect.stringContaining(reason)])
    expect(existsSync('x')).toBe(false)
  })

  it('is refused with a folder and another data set', async () => {
    const words = ['--dataset', 'signs', '--attack', 'badnets', '--out', at('both')]
    expect(await command('poison', at('said'), ...words)).toMatchObject({
      code: 2,
      error: `Cannot use '--dataset' with the images in '${at('said')}': give one of them\n`,
    })
  })
})

describe('preview', () => {
  it('draws the trigger that poison uses, and nothing else', async () => {
    const drawn = await json('preview', '--attack', 'badnets', '--out', at('sheets/badnets.png'), ...small)
    const truth = JSON.parse(readFileSync(join(at('signs-truth'), 'truth.json'), 'utf8'))
    expect(drawn).toMatchObject({ trigger: truth.trigger, preview: at('sheets/badnets.png') })
    const sheet = readFileSync(at('sheets/badnets.png'))
    expect(sheet.equals(readFileSync(join(at('signs-truth'), 'preview.png')))).toBe(true)
    const { out } = await command('preview', '--attack', 'badnets', '--out', at('sheets/badnets.png'), ...small)
    expect(out).toContain(truth.trigger)
  })

  it('is refused without an attack', async () => {
    expect(await command('preview', '--out', at('none.png'))).toMatchObject({ code: 2 })
    expect(existsSync(at('none.png'))).toBe(false)
  })
})

describe('table', () => {
  const records = (name: string) => fileURLToPath(new URL(`../results/${name}`, import.meta.url))

  it('shows recorded experiments, attacks by defenses, in Markdown', async () => {
    const { code, out } = await command('table', records('cifar10-defenses'))
    expect(code).toBe(0)
    expect(out).toMatch(/^cifar10, wrn, clean-share 0\.05, epochs 15, seed 1\n\n\| attack +\| none /)
    expect(out).toMatch(/\| badnets, rate 0\.1 +\| 100\.00 \/ 84\.28 +\| 1\.51 \/ 74\.41 /)
    const { cells } = await json('table', records('cifar10-defenses'))
    expect(cells).toContainEqual(expect.objectContaining({ defense: 'abl quick', collapsed: 0, seeds: [1] }))
  })

  it('shows published figures beside those of a folder that names some, and what is missing', async () => {
    const { code, out } = await command('table', records('paper-table1'))
    expect(code).toBe(0)
    expect(out).toMatch(/^cifar10, wrn, epochs 100.*in brackets \[ASR \/ CA\] of Zhang et al\./)
    expect(out).toMatch(/\| badnets, rate 0\.1 .*\[1\.06 \/ 87\.46\]/)
    const { cells, missing } = await json('table', records('paper-table1'))
    expect(cells.length + missing.length).toBe(23)
  })

  it('shows how well the poison was flagged', async () => {
    const { out } = await command('table', records('deconfound'), '--suspicion', '--mixed')
    expect(out).toContain('1.000 ± 0.000, 100.00 ± 0.00 / 0.38 ± 0.40, 0 ± 0 left')
    expect(out).not.toMatch(/\| none .*\| deconfound/)
  })
})

describe('tune', () => {
  const words = ['--attack', 'badnets', '--subset', '30', '--folds', '2', ...small, '--epochs', '1', '--batch', '8']

  it('compares settings, and writes a configuration that runs', async () => {
    const file = at('best.yaml')
    const { code, out } = await command('tune', ...words, '--runs', at('runs'), '--apply', file, '--by', 'accuracy')
    expect(code).toBe(0)
    expect(out).toMatch(/^confounder-epochs +bottleneck +held-out accuracy +separation/)
    expect(out).toContain(`best by accuracy written: deconfound run --config ${file}`)
    const printed = await json('run', '--config', file, '--print-config')
    expect([3, 5, 8]).toContain(printed['defense.confounder-epochs'])
    const again = await json('tune', ...words, '--runs', at('runs'))
    expect(again.settings.length).toBe(9)
  })

  it.each([
    [['--folds', '1'], "'folds'"],
    [['--subset', 'x'], "'subset'"],
    [['--defense', 'abl'], "Cannot search settings of defense 'abl'"],
  ])('refuses %s', async (more, message) => {
    expect(await command('tune', ...small, ...more)).toMatchObject({ code: 2, error: expect.stringContaining(message) })
  })
})

describe('sweep', () => {
  const folder = fileURLToPath(new URL('../experiments', import.meta.url))

  it.each(readdirSync(folder).filter((file) => file.endsWith('.yaml')))(
    '%s is one, and fits its records',
    async (file) => {
      const { cells } = await json('sweep', join(folder, file), '--dry-run')
      expect(cells.length).toBeGreaterThan(0)
    },
  )

  it('runs what is not recorded', async () => {
    const settings = [
      'settings: {dataset: signs, dataset.train: 48, dataset.test: 24, epochs: 1, batch: 24, model.depth: 10}',
    ]
    const lines = [`record: ${at('records')}`, ...settings, 'also: [{attack: none}]']
    writeFileSync(at('sweep.yaml'), lines.join('\n'))
    const words = ['sweep', at('sweep.yaml'), '--runs', at('sweeps'), '--threads', '1']
    expect(await json(...words)).toEqual({ record: at('records'), recorded: 1, failed: [] })
    expect(await command('sweep', at('sweep.yaml'), '--workers', '0')).toMatchObject({ code: 2 })
    const { error } = await command('sweep', at('swep.yaml'))
    expect(error).toContain("swep.yaml': there is no such file; give its path")
    expect((await command('table', at('records'))).out).toContain('| none')
  })
})
