import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { UserError } from '../errors.ts'
import { makeFolder, writeAtomically } from '../files.ts'
import type { Classifier } from '../nn/classifier.ts'
import { dispose } from '../nn/module.ts'
import type { Compute } from '../tensor/device.ts'
import { arena } from '../tensor/scope.ts'
import type { ImageShape } from '../training/images.ts'
import { type Agreement, compare, type Logits, logitsOf, requireAgreement } from './export/compare.ts'
import { comparedImages } from './export/images.ts'
import { onnxFile } from './export/onnx-file.ts'
import { safetensorsFile } from './export/safetensors-file.ts'
import { openSecondEngine } from './export/second-engine.ts'
import { openMeasured } from './measure/evaluation-settings.ts'
import type { Listener } from './prepare/listener.ts'
import { settleCompute } from './store/environment.ts'
import type { ForeignReading } from './store/foreign-model.ts'
import { loadModel, type ModelDescription, modelFrom, parseModel } from './store/saved-model.ts'

/** What a model can be exported to, and the ending of the file. */
export const exportFormats = ['onnx', 'safetensors'] as const
export type ExportFormat = (typeof exportFormats)[number]

export interface ExportOptions {
  readonly formats: readonly ExportFormat[]
  /** by default `export` beside the model's file */
  readonly out?: string | undefined
  readonly threads: number
  /** of a model that was trained elsewhere */
  readonly reading?: ForeignReading
}

/** A file that was compared and written. */
export interface ExportedFile extends Agreement {
  readonly format: ExportFormat
  readonly file: string
}

/** how many images a second engine is compared on */
const comparedOn = 1000

/**
 * Writes a model, of a run or a file, for other programs. Each file is opened again before it has its name: ONNX by another
 * engine, safetensors as a model built anew; what does not answer as the model does is not written, and a UserError.
 */
export async function exportModel(
  path: string,
  { formats, out, threads, reading = {} }: ExportOptions,
  listener: Listener,
) {
  const compute = settleCompute({ device: 'cpu', precision: 'fp32', threads })
  const measured = openMeasured(path, undefined, reading)
  const folder = out ?? join(dirname(resolve(measured.file)), 'export')
  const name = basename(measured.file, extname(measured.file))

  return arena(async () => {
    const { model, description } = loadModel(measured.file, compute, reading)
    const { shape } = description
    const made = formats.map((format) => ({
      format,
      file: join(folder, `${name}.${format}`),
      bytes: writers[format](model, description),
    }))
    for (const { file, bytes } of made) refuseOther(file, bytes)
    const images = await comparedImages(measured, { count: comparedOn, shape, listener })
    const files: ExportedFile[] = []
    for (const { format, file, bytes } of made) {
      const opened = await openers[format](bytes, { file, shape, compute })
      const answers = { expected: logitsOf(model, shape), found: opened.logits }
      const agreement = await compare(answers, images, listener.scoring).finally(opened.close)
      requireAgreement(`'${measured.file}' to ${format}`, agreement)
      makeFolder(folder)
      writeAtomically(file, bytes)
      files.push({ format, file, ...agreement })
    }
    const { model: kind, classes } = description
    return { model: measured.file, kind, shape, classes: classes.length, files }
  })
}

const writers: Readonly<Record<ExportFormat, (model: Classifier, of: ModelDescription) => Uint8Array>> = {
  onnx: onnxFile,
  safetensors: safetensorsFile,
}

interface Opened {
  readonly logits: Logits
  close(): Promise<void>
}

/** Exported files as who receives them would open them. */
const openers: Readonly<
  Record<
    ExportFormat,
    (bytes: Uint8Array, how: { file: string; shape: ImageShape; compute: Compute }) => Promise<Opened>
  >
> = {
  async onnx(bytes, { shape, compute }) {
    const engine = await openSecondEngine(bytes, compute.threads)
    return { logits: async (pixels) => (await engine.run(pixels, shape)).logits, close: engine.close }
  },
  async safetensors(bytes, { file, shape, compute }) {
    const { model } = modelFrom(parseModel(bytes, file), { path: file, compute })
    return { logits: logitsOf(model, shape), close: async () => dispose(model) }
  },
}

/** Nothing is overwritten; the same model's export may be there already. */
function refuseOther(file: string, bytes: Uint8Array): void {
  if (!existsSync(file) || Buffer.compare(readFileSync(file), bytes) === 0) return
  throw new UserError(
    'usage',
    `Cannot export to '${file}': there is another file; remove it, or choose another folder by --out`,
  )
}
