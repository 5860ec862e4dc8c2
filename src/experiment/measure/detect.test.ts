import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { device } from '../../../test/device.ts'
import { main } from '../../cli/main.ts'
import type { DetectorView } from '../../detectors/detector.ts'
import { detectors } from '../../detectors/index.ts'
import { detect, run } from '../api.ts'
import { inTrainingOrder, loadDataset } from '../prepare/data.ts'
import { silent } from '../prepare/listener.ts'
import { resolveConfig } from '../settings/config.ts'
import { resolveDetection } from './detect.ts'

const runs = mkdtempSync(join(tmpdir(), 'detect-'))
afterAll(() => rmSync(runs, { recursive: true }))

const settings = {
  dataset: 'signs',
  'dataset.train': 72,
  'dataset.test': 24,
  attack: 'badnets',
  'attack.size': 6,
  target: 3,
  seed: 4,
  'clean-share': 0.1,
  'model.depth': 10,
  epochs: 1,
  batch: 30,
  device,
  threads: 1,
} as const
const experiment = await run(settings, { runs })

/** A copy of the run with one of its files changed. */
function copy(name: string, file: string, change: (text: string) => string): string {
  const path = join(runs, name)
  cpSync(experiment.run, path, { recursive: true })
  writeFileSync(join(path, file), change(readFileSync(join(path, file), 'utf8')))
  return path
}

describe('a detector on a finished experiment', () => {
  it('sees the images the run trained on, and is compared with their truth', async () => {
    const files = readdirSync(experiment.run).sort()
    const found = await detect(experiment.run, { detector: 'spectral-signatures', 'detector.epsilon': 0.2 })
    const { trigger, poisonHash, poisonedImages } = experiment
    expect(found).toMatchObject({ trigger, poisonHash, poisonedImages, images: 65, cleanImagesGiven: 0 })
    expect(found).toMatchObject({ detector: 'spectral-signatures', options: { epsilon: 0.2 }, attack: 'badnets' })
    expect(found.threshold).toBeCloseTo(0.7)
    // what is named: the rounded shares of the classes
    expect(found.flagged / 65).toBeGreaterThan(0.2)
    expect(found.flagged / 65).toBeLessThan(0.4)
    expect(found.auroc).toBeGreaterThanOrEqual(0)
    expect(readdirSync(experiment.run).sort()).toEqual(files)
  })

  it('shows it what a detector may see, and no truth', async () => {
    let seen: DetectorView | undefined
    const entry = detectors['spectral-signatures']
    const spied = vi.spyOn(entry, 'detect').mockImplementation(async (_, view) => {
      seen = view
      return { score: new Float32Array(view.images.count), threshold: 0, verdict: 'not-judged' }
    })
    try {
      await detect(experiment.run, { detector: 'spectral-signatures' })
    } finally {
      spied.mockRestore()
    }
    const view = seen as DetectorView
    const allowed = ['batch', 'classes', 'clean', 'compute', 'images', 'model', 'onProgress', 'random']
    expect(Object.keys(view).sort()).toEqual(allowed)
    expect(Object.keys(view.images).sort()).toEqual(['ahead', 'count', 'free', 'images', 'labels', 'labelsOf', 'shape'])
    const truth = JSON.parse(readFileSync(join(experiment.run, 'truth.json'), 'utf8'))
    const { poisoned, originalLabels, givenLabels } = truth
    expect(new Set(givenLabels)).toEqual(new Set([3]))
    expect(poisoned.length).toBe(experiment.poisonedImages)
    const relabelled = originalLabels.filter((label: number) => label !== 3).length
    expect(view.images.labels.filter((label) => label === 3).length).toBeGreaterThanOrEqual(relabelled)
    expect(view.clean).toBeNull()
  })

  it.each([
    [1, []],
    [-1, [expect.stringContaining('worse than chance (AUROC below 0.5)')]],
  ])('says where its ranking is worse than chance (scores times %i)', async (sign, remarks) => {
    const { poisoned } = JSON.parse(readFileSync(join(experiment.run, 'truth.json'), 'utf8')) as { poisoned: number[] }
    const places = new Set(poisoned)
    const { train } = await loadDataset(resolveConfig(settings), silent)
    const { order } = inTrainingOrder(train, resolveConfig(settings))
    const score = Float32Array.from(order, (i) => (places.has(i) ? sign : 0))
    const told = { score, threshold: 0.5, verdict: 'not-judged' } as const
    const spied = vi.spyOn(detectors['spectral-signatures'], 'detect').mockResolvedValue(told)
    try {
      const found = await detect(experiment.run, { detector: 'spectral-signatures' })
      expect(found).toMatchObject({ auroc: (1 + sign) / 2, remarks })
    } finally {
      spied.mockRestore()
    }
  })

  it('gets the trusted images that were set apart, if it has a use for them', async () => {
    const few = { detector: 'strip', 'detector.superpositions': 4 } as const
    const found = await detect(experiment.run, few)
    expect(found.cleanImagesGiven).toBe(7)
    const again = await detect(experiment.run, { ...few, batch: 17 })
    expect([again.flagged, again.auroc]).toEqual([found.flagged, found.auroc])
  })

  it('prints a table, or JSON', async () => {
    const printed: string[] = []
    const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => printed.push(String(text)) > 0)
    try {
      const words = ['detect', experiment.run, '--detector', 'activation-clustering']
      await main([...words, '--threads', '1', '--detector.components', '5'])
      await main([...words, '--json'])
      await main(['list', 'detectors', '--json'])
    } finally {
      out.mockRestore()
    }
    expect(printed[0]).toMatch(/images +65 +\d+ of them poisoned/)
    expect(printed[0]).toContain('of activation-clustering: images scoring above it are flagged')
    expect(printed[0]).toContain('AUROC of the score')
    expect(JSON.parse(printed[1] as string)).toMatchObject({ images: 65, options: { components: 10 } })
    const listed = JSON.parse(printed[2] as string).detectors as { name: string; assumes: string }[]
    expect(listed.map(({ name }) => name)).toContain('strip')
    expect(listed.every(({ assumes }) => assumes.length > 0)).toBe(true)
  })

  it('is refused where the run is not finished, or the poison comes out other than it was', async () => {
    const look = (path: string) => detect(path, { detector: 'spectral-signatures' })
    const unfinished = copy('unfinished', 'result.json', (text) => text)
    rmSync(join(unfinished, 'result.json'))
    await expect(look(unfinished)).rejects.toMatchObject({ code: 2, message: expect.stringContaining('no result') })
    const rate = copy('rate', 'config.yaml', (text) => text.replace('rate: 0.1', 'rate: 0.2'))
    await expect(look(rate)).rejects.toMatchObject({ code: 7, message: expect.stringContaining('Cannot poison') })
    const attack = copy('attack', 'config.yaml', (text) => text.replace('attack.size: 6', 'attack.size: 3'))
    await expect(look(attack)).rejects.toMatchObject({ code: 7, message: expect.stringContaining('the trigger of') })
  })
})

describe('what is told a detector', () => {
  it('is checked, and completed', () => {
    expect(resolveDetection({ detector: 'strip' })).toEqual({
      detector: 'strip',
      batch: 256,
      options: { superpositions: 100, superposition: 'sum', falsePositiveRate: 0.01 },
    })
    expect(() => resolveDetection({})).toThrow("'detector'")
    expect(() => resolveDetection({ detector: 'strip', 'detector.epsilon': 1 })).toThrow("no 'detector.epsilon'")
    expect(() => resolveDetection({ detector: 'strip', 'attack.size': 1 })).toThrow("there is no 'attack.size'")
  })
})
