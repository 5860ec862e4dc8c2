import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { smallModels } from '../../../test/small.ts'
import { type ModelName, models } from '../../models/index.ts'
import { type Classifier, classifierOf } from '../../nn/classifier.ts'
import { linear } from '../../nn/linear.ts'
import { stateOf } from '../../nn/module.ts'
import { Random } from '../../tensor/random.ts'
import { parseSafetensors } from '../../tensor/safetensors.ts'
import { arena, scope } from '../../tensor/scope.ts'
import { liveTensors, noGrad, type Tensor } from '../../tensor/tensor.ts'
import type { ImageShape } from '../../training/images.ts'
import { buildModel, type ModelDescription, modelFrom, parseModel } from '../store/saved-model.ts'
import { logitsOf } from './compare.ts'
import { onnxFile } from './onnx-file.ts'
import { safetensorsFile } from './safetensors-file.ts'
import { openSecondEngine } from './second-engine.ts'

// What an exported file promises, for every model of the catalogue: a new entry is covered by being there.

const folder = mkdtempSync(join(tmpdir(), 'export-'))
afterAll(() => rmSync(folder, { recursive: true }))

const compute = { device: 'cpu', precision: 'fp32', threads: 1 } as const
const square: ImageShape = [3, 32, 32]
const oblong: ImageShape = [3, 40, 33]

/** Every entry, and forms with other operators: large stems, pools over windows that overlap, patches that images do not fill. */
const forms: readonly { name: ModelName; options: Record<string, unknown>; shape: ImageShape }[] = [
  ...(Object.keys(models) as ModelName[]).map((name) => ({ name, options: smallModels[name], shape: square })),
  { name: 'resnet', options: { depth: 50, width: 4, stem: 'large' }, shape: oblong },
  { name: 'vgg', options: { ...smallModels.vgg, head: 'large' }, shape: [3, 320, 64] },
  { name: 'mobilenet', options: { width: 0.25, stem: 'large' }, shape: oblong },
  { name: 'vit', options: { ...smallModels.vit, patch: 7 }, shape: oblong },
  { name: 'cct', options: { ...smallModels.cct, kernel: 5, convolutions: 2, heads: 2 }, shape: oblong },
]

function described(name: ModelName, { options = smallModels[name] as Record<string, unknown>, shape = square } = {}) {
  const classes = ['cat', 'dog', 'a "quoted" name, ünd möre']
  const normalization = { mean: [0.4, 0.5, 0.6], deviation: [0.2, 0.25, 0.3] }
  return { model: name, options, classes, shape, normalization, fit: 'cover' } satisfies ModelDescription
}

/** A model none of whose weights and statistics are those of a fresh one. */
function trained(of: ModelDescription): Classifier {
  const random = new Random(1)
  const model = buildModel(of, { random, compute })
  scope(() =>
    noGrad(() => {
      for (const tensor of Object.values(model.parameters) as Tensor[])
        tensor.add_(random.uniformTensor(tensor.shape, -0.05, 0.05))
      for (let pass = 0; pass < 20; pass++) model.forward(random.uniformTensor([4, ...of.shape]), 'train')
    }),
  )
  return model
}

const pixelsOf = (count: number, shape: ImageShape) => {
  const random = new Random(2)
  return Float32Array.from({ length: count * shape[0] * shape[1] * shape[2] }, () => random.uniform())
}

describe.each(forms)('an exported $name of $options', ({ name, options, shape }) => {
  it('answers in another engine as the model does, in batches of any size', () =>
    arena(async () => {
      const of = described(name, { options, shape })
      const model = trained(of)
      const engine = await openSecondEngine(onnxFile(model, of))
      for (const batch of [1, 3, 16]) {
        const pixels = pixelsOf(batch, shape)
        const expected = await logitsOf(model, shape)(pixels)
        const { logits, probabilities } = await engine.run(pixels, shape)
        const scale = Math.max(...expected.map(Math.abs))
        expect(scale).toBeGreaterThan(1e-3)
        expect(logits.length).toBe(3 * batch)
        for (const [i, logit] of logits.entries()) expect(Math.abs(logit - (expected[i] as number))).toBeLessThan(1e-4)
        for (let i = 0; i < batch; i++) {
          const own = Array.from(expected.subarray(3 * i, 3 * i + 3), Math.exp)
          const sum = own.reduce((a, b) => a + b)
          own.forEach((each, k) => void expect(probabilities[3 * i + k]).toBeCloseTo(each / sum, 4))
        }
      }
      await engine.close()
    }))

  it('has the same weights as safetensors, and nothing but weights', () =>
    arena(async () => {
      const of = described(name, { options, shape })
      const model = trained(of)
      const bytes = safetensorsFile(model, of)
      const again = modelFrom(parseModel(bytes, 'it'), { path: 'it', compute })
      expect(again.description).toEqual(of)
      const pixels = pixelsOf(2, shape)
      expect(await logitsOf(again.model, shape)(pixels)).toEqual(await logitsOf(model, shape)(pixels))
      const { tensors } = parseSafetensors(bytes, 'it')
      const weights = Object.keys(stateOf(model).tensors).filter((each) => !each.startsWith('normalization'))
      expect([...tensors.keys()].sort()).toEqual(weights.sort())
    }))
})

describe('an exported file', () => {
  it('says what it is: classes, normalization, pixels', () =>
    arena(async () => {
      const of = described('wrn')
      const { metadata } = parseSafetensors(safetensorsFile(trained(of), of), 'it')
      expect(JSON.parse(metadata.get('classes') ?? '')).toEqual(of.classes)
      expect(JSON.parse(metadata.get('normalization') ?? '')).toEqual(of.normalization)
      expect(metadata.get('pixels')).toContain('from 0 (dark) to 1')
    }))

  it('is the same to the byte each time, and leaves no tensors behind', () =>
    arena(async () => {
      const of = described('vit')
      const model = trained(of)
      const before = liveTensors()
      expect(Buffer.compare(onnxFile(model, of), onnxFile(model, of))).toBe(0)
      expect(liveTensors()).toBe(before)
    }))

  it('takes pixels as they are where the model does', () =>
    arena(async () => {
      const of = { ...described('wrn'), normalization: null }
      const model = trained(of)
      const engine = await openSecondEngine(onnxFile(model, of))
      const pixels = pixelsOf(1, square)
      const [expected] = await logitsOf(model, square)(pixels)
      expect((await engine.run(pixels, square)).logits[0]).toBeCloseTo(expected as number, 4)
      await engine.close()
    }))
})

/** A classifier of a person's own, whose embedding is made by `embed` of images [batch, 3, 32, 32]. */
function ownModel(embed: (images: Tensor) => Tensor): Classifier {
  const head = linear(new Random(1), { from: 3, to: 3 })
  const body = (images: Tensor) => ({ embedding: embed(images), maps: [] })
  return classifierOf({ parts: { head }, head, body }, { compute, normalization: null })
}

describe('a model of one’s own', () => {
  it('is refused where an operator has no counterpart, and told which', () => {
    const model = ownModel((images) => images.mean([2, 3]).sign())
    expect(() => onnxFile(model, described('wrn'))).toThrow("its operator 'sign' is not among those that can be")
  })

  it('is refused where what it computes depends on the batch', () => {
    const model = ownModel((images) => images.mean([2, 3]).mul(images.size(0) ** 2))
    expect(() => onnxFile(model, described('wrn'))).toThrow('depends on how many images it is shown')
  })
})

const python = (script: string, ...words: string[]) =>
  execFileSync('/usr/bin/python3', ['-c', script, ...words], { encoding: 'utf8', stdio: 'pipe' })
const can = (module: string) => {
  try {
    python(`import ${module}`)
    return true
  } catch {
    return false
  }
}

describe('in Python', () => {
  it.skipIf(!can('onnx'))('ONNX’s own checker accepts every model (skipped without python3-onnx)', () =>
    arena(async () => {
      const files = forms.map(({ name, options, shape }, i) => {
        const of = described(name, { options, shape })
        const file = join(folder, `${i}.onnx`)
        writeFileSync(file, onnxFile(trained(of), of))
        return file
      })
      const script = `
import json, onnx, sys
for path in sys.argv[1:]:
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    [images] = model.graph.input
    facts = {each.key: each.value for each in model.metadata_props}
    print(json.dumps([
        [length.dim_param or length.dim_value for length in images.type.tensor_type.shape.dim],
        [each.name for each in model.graph.output], model.opset_import[0].version, json.loads(facts["classes"]),
    ]))`
      const lines = python(script, ...files)
        .trim()
        .split('\n')
      const { classes } = described('wrn')
      const outputs = ['logits', 'probabilities']
      const expected = forms.map(({ shape }) => [['batch', ...shape], outputs, 17, classes])
      expect(lines.map((line) => JSON.parse(line))).toEqual(expected)
    }),
  )
})
