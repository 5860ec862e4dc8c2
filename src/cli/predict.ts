import { Command } from 'commander'
import { UserError } from '../errors.ts'
import { classifyFiles } from '../experiment/measure/classify.ts'
import { settleCompute } from '../experiment/store/environment.ts'
import { modelFile } from '../experiment/store/model-file.ts'
import { PartialFailure, withExamples } from './failure.ts'
import { foreignReading, withForeign } from './foreign.ts'
import { wholeNumber } from './options.ts'
import { predictionCsv, predictionTable } from './predictions.ts'
import { print, printJson } from './terminal.ts'

export const predictCommand = withExamples(
  withForeign(new Command('predict'))
    .argument('<model>', "a model file, ours or one of torchvision's or timm's names, or a run's directory")
    .argument('<files...>', 'images, folders of images, or patterns such as photos/*.jpg')
    .option('--top <n>', 'how many classes to name for each image, the most probable first', '1')
    .option('--csv', 'print CSV: file, problem, and class and probability as often as --top says')
    .option('--device <name>', "'auto', 'cpu' or 'cuda:N'", 'auto')
    .option('--threads <n>', '0: as many as there are cores', '0')
    .option('--json', 'print one JSON object on standard output'),
  'deconfound predict runs/… photo.jpg',
  'deconfound predict runs/…/model.safetensors photos/ --top 3 --csv > classes.csv',
  'deconfound predict resnet18.safetensors photo.jpg --classes imagenet.txt --size 224',
).action(async (model: string, words: string[], { device, csv, json, ...options }) => {
  const top = wholeNumber('top', options.top, 1)
  const threads = wholeNumber('threads', options.threads, 0)
  if (csv && json) throw new UserError('usage', 'Cannot print both CSV and JSON: give --csv or --json')
  const compute = settleCompute({ device, precision: 'fp32', threads })
  const predictions = await classifyFiles(modelFile(model), words, { compute, top, reading: foreignReading(options) })
  if (csv)
    process.stdout.write(predictionCsv(predictions, top)) // a file's text, which is kept as it is
  else if (!json) print(predictionTable(predictions))
  const refused = predictions.filter(({ problem }) => problem !== null).length
  const message = `Cannot classify ${refused} of ${predictions.length} files: they are named above`
  if (refused > 0) throw new PartialFailure('data', message, { predictions })
  if (json) printJson({ predictions })
})
