import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import sharp from 'sharp'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { compute, device } from '../../../test/device.ts'
import { UserError } from '../../errors.ts'
import type { Classifier } from '../../nn/classifier.ts'
import { stateOf } from '../../nn/module.ts'
import { Random } from '../../tensor/random.ts'
import { arena, scope } from '../../tensor/scope.ts'
import { full, liveTensors, noGrad, type Tensor } from '../../tensor/tensor.ts'
import { pack } from '../../training/checkpoint.ts'
import { buildModel, loadModel, type ModelDescription, saveModel } from './saved-model.ts'

const folder = mkdtempSync(join(tmpdir(), 'saved-model-'))
afterAll(() => rmSync(folder, { recursive: true }))
const path = join(folder, 'model.safetensors')

const description: ModelDescription = {
  model: 'wrn',
  options: { depth: 10, width: 0.5 },
  classes: ['a', 'größer', '<b>'],
  shape: [3, 16, 16],
  fit: 'contain',
  ground: 'white',
  normalization: { mean: [0.1, 0.2, 0.3], deviation: [0.25, 0.5, 0.75] },
}
const build = (seed: number, of = description) => buildModel(of, { random: new Random(seed), compute })
const answers = (model: Classifier) =>
  scope(() => {
    const images = new Random(9).uniformTensor([4, 3, 16, 16]).to({ device })
    return noGrad(() => model.forward(images, 'eval').logits.numbers())
  })

/** A file with a valid digest and one tensor, that says of itself what `more` says. */
const described = (more: object) =>
  scope(() => pack({ a: full([1], 0) }, { description: JSON.stringify({ ...description, ...more }) }))

describe('a saved model', () => {
  it('answers as it did, and knows what it needs to be used', () =>
    arena(async () => {
      const model = build(1)
      scope(() => model.forward(new Random(2).uniformTensor([8, 3, 16, 16]).to({ device }), 'train'))
      const hash = saveModel(path, model, description)
      expect(hash).toBe(createHash('sha256').update(readFileSync(path)).digest('hex'))
      const loaded = loadModel(path, compute)
      expect(loaded.description).toEqual(description)
      expect(answers(loaded.model)).toEqual(answers(model))
      const weights = (of: Classifier) =>
        Object.entries(stateOf(of).tensors).map(([name, tensor]) => [name, ...tensor.bytes()])
      expect(weights(loaded.model)).toEqual(weights(model))
    }))

  it('has a hash of weights and description alone', () =>
    arena(async () => {
      const model = build(1)
      const hash = saveModel(path, model, description)
      expect(saveModel(join(folder, 'other'), build(1), description)).toBe(hash)
      expect(saveModel(path, build(2), description)).not.toBe(hash)
      expect(saveModel(path, model, { ...description, classes: ['x', 'y', 'z'] })).not.toBe(hash)
      noGrad(() => model.buffers['bn.running_mean']?.fill_(1e-7))
      expect(saveModel(path, model, description)).not.toBe(hash)
    }))

  it('takes pixels as they are where it has no normalization', () =>
    arena(async () => {
      const plain = { ...description, normalization: null }
      saveModel(path, build(1, plain), plain)
      expect(loadModel(path, compute).description.normalization).toBeNull()
    }))

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('is never one with %s in it', (value) =>
    arena(async () => {
      const file = join(folder, `never-${value}`)
      const model = build(1)
      for (const name of ['linear.bias', 'groups.1.0.conv1.weight', 'bn.running_var']) {
        const tensor = stateOf(model).tensors[name] as Tensor
        noGrad(() => scope(() => void tensor.select(0, 1).fill_(value)))
        expect(() => saveModel(file, model, description)).toThrow(expect.objectContaining({ code: 4 }))
        expect(() => saveModel(file, model, description)).toThrow(
          `Cannot save the model: '${name}' has values that are not numbers`,
        )
        noGrad(() => tensor.fill_(1))
      }
      expect(existsSync(file)).toBe(false)
    }),
  )

  it('is refused, not misread, when it is damaged: 300 bit flips and 100 truncations', () =>
    arena(async () => {
      saveModel(path, build(1), description)
      const good = readFileSync(path)
      const random = new Random(3)
      const before = liveTensors()
      for (let i = 0; i < 400; i++) {
        const damaged = i < 300 ? Buffer.from(good) : good.subarray(0, random.integer(good.length))
        // half of the flips in the header, which is the smaller part
        const at = random.integer(i % 2 ? good.length : 8 + Number(good.readBigUInt64LE()))
        if (i < 300) damaged[at] = (damaged[at] as number) ^ (1 << random.integer(8))
        writeFileSync(path, damaged)
        expect(() => loadModel(path, compute)).toThrow(UserError)
      }
      expect(liveTensors()).toBe(before)
    }))

  it.each<[string, object]>([
    ['depth and width', { options: { depth: 100, width: 16 } }],
    ['classes', { classes: Array.from({ length: 1_000_000 }, String) }],
    ['all of these', { options: { depth: 100, width: 16 }, classes: Array.from({ length: 1_000_000 }, String) }],
  ])('takes no memory for what it claims before its weights fit: %s', (_, more) =>
    arena(async () => {
      writeFileSync(path, Buffer.concat(described(more)))
      const drawn = [vi.spyOn(Random.prototype, 'normal'), vi.spyOn(Random.prototype, 'uniform')]
      const before = { tensors: liveTensors(), memory: process.memoryUsage().rss }
      expect(() => loadModel(path, compute)).toThrow(
        /^Cannot use '.*': it holds 1 tensors, and not the \d+ that are needed/,
      )
      for (const draw of drawn) expect(draw).not.toHaveBeenCalled()
      expect(liveTensors()).toBe(before.tensors)
      expect(process.memoryUsage().rss - before.memory).toBeLessThan(500 * 2 ** 20)
      for (const draw of drawn) draw.mockRestore()
    }),
  )

  it.each(['/dev/zero', '/dev/null', 'a pipe', tmpdir()])('is not read from what is no file: %s', (place) => {
    const pipe = `${path}.pipe`
    if (place === 'a pipe') execFileSync('mkfifo', [pipe])
    expect(() => loadModel(place === 'a pipe' ? pipe : place, compute)).toThrow('it is not a model; give the')
  })

  it('is told by name and remedy from every file that is none', async () => {
    const pixels = { create: { width: 40, height: 30, channels: 3, background: '#c08040' } } as const
    const pictures = await Promise.all((['png', 'jpeg', 'webp'] as const).map((as) => sharp(pixels)[as]().toBuffer()))
    const texts = [
      '',
      'a',
      'image,label\n1.png,cat\n',
      'image,lab{\n',
      '{"model":"wrn"}',
      '%PDF-1.7 {',
      '\0'.repeat(64),
    ]
    const archives = [gzipSync('hello'), Buffer.from('PK\x03\x04\x14\0\0\0\b\0')]
    for (const content of [...pictures, ...archives, ...texts.map((text) => Buffer.from(text))]) {
      writeFileSync(path, content)
      const message = `Cannot use '${path}' as a model: it is not a model; give the model.safetensors of a finished run, or its directory`
      expect(() => loadModel(path, compute)).toThrow(new UserError('data', message))
    }
  })

  it.each<[string, () => Uint8Array[]]>([
    ['a text', () => [Buffer.from('hello, I am no model')]],
    ['nothing', () => []],
    ['tensors without a description', () => pack({ a: full([1], 0) }, {})],
    ['a description that is none', () => pack({ a: full([1], 0) }, { description: '{"model":"wrn"}' })],
    ['a model that is not in the catalogue', () => described({ model: 'constructor' })],
    ['the weights of another model', () => described({})],
    ['an impossible depth', () => described({ options: { depth: 11 } })],
    ['an option that is no number', () => described({ options: { depth: 'deep' } })],
    ['a normalization of other channels', () => described({ normalization: { mean: [1], deviation: [1] } })],
    ['a negative shape', () => described({ shape: [3, -1, 16] })],
  ])('is told from %s', (_, content) =>
    arena(async () => {
      writeFileSync(path, Buffer.concat(content()))
      expect(() => loadModel(path, compute)).toThrow(UserError)
    }),
  )

  it('that is not there is told', () => {
    expect(() => loadModel(join(folder, 'nowhere'), compute)).toThrow(/^Cannot read the model '.*nowhere': ENOENT/)
  })
})
