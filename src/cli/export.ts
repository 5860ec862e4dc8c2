import { Command } from 'commander'
import { type ExportedFile, exportFormats, exportModel } from '../experiment/export-model.ts'
import { withExamples } from './failure.ts'
import { foreignReading, withForeign } from './foreign.ts'
import { wholeNumber } from './options.ts'
import { withListener } from './session.ts'
import { table } from './tables.ts'
import { print, printJson, shown } from './terminal.ts'

export const exportCommand = withExamples(
  withForeign(new Command('export'))
    .argument('<model>', "a run's directory, or a model file, ours or one of torchvision's or timm's names")
    .option('--onnx', 'ONNX: one file, from pixels in [0, 1] to logits and probabilities (default: both formats)')
    .option('--safetensors', "safetensors: the weights under the network's own names (default: both formats)")
    .option('--out <folder>', "where the files go (default: 'export' beside the model)")
    .option('--threads <n>', '0: as many as there are cores', '0')
    .option('--json', 'print one JSON object on standard output'),
  'deconfound export runs/…',
  'deconfound export runs/… --onnx --out deployed/',
  'deconfound export resnet18.safetensors --onnx --classes imagenet.txt --size 224',
).action(async (model: string, { out, json, ...options }) => {
  const chosen = exportFormats.filter((format) => options[format])
  const formats = chosen.length > 0 ? chosen : exportFormats
  const threads = wholeNumber('threads', options.threads, 0)
  const reading = foreignReading(options)
  const result = await withListener((listener) => exportModel(model, { formats, out, threads, reading }, listener))
  if (json) return printJson(result)
  const rows = result.files.map((file) => [shown(file.file), agreementOf(file)])
  print(table(rows))
})

function agreementOf({ images, drawn, sameClass, largestDifference }: ExportedFile): string {
  const source = drawn === 0 ? '' : `, ${drawn === images ? 'all' : drawn} of them drawn at random`
  const difference = largestDifference === 0 ? 'equal logits' : `logits within ${largestDifference.toExponential(1)}`
  return `compared on ${images} images${source}: the same class for ${sameClass}, ${difference}`
}
