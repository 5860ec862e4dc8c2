import { Command } from 'commander'
import { UserError } from '../errors.ts'
import { classifyFiles } from '../experiment/measure/classify.ts'
import { settleCompute } from '../experiment/store/environment.ts'
import { modelFile } from '../experiment/store/model-file.ts'
import { predictionCsv, predictionTable } from './predictions.ts'

export const predictCommand = new Command('predict')
  .description('Classify image files with a model')
  .argument('<model>', "a model file, or a run's directory")
  .argument('<files...>', 'images, folders of images, or patterns such as photos/*.jpg')
  .option('--top <number>', 'how many classes to name for each image, the most probable first', '1')
  .option('--csv', 'print CSV: file, problem, and class and probability as often as --top says')
  .option('--device <name>', "'auto', 'cpu' or 'cuda:N'", 'auto')
  .option('--threads <number>', '0: as many as there are cores', '0')
  .option('--json', 'print one JSON object on standard output')
  .addHelpText(
    'after',
    '\nExamples:\n  deconfound predict runs/… photo.jpg\n  deconfound predict runs/…/model.safetensors photos/ --top 3 --csv > classes.csv',
  )
  .action(async (model: string, words: string[], options) => {
    const top = whole('top', options.top, 1)
    const threads = whole('threads', options.threads, 0)
    if (options.csv && options.json)
      throw new UserError('usage', 'Cannot print both CSV and JSON: give --csv or --json')
    const compute = settleCompute({ device: options.device, precision: 'fp32', threads })
    const predictions = await classifyFiles(modelFile(model), words, { compute, top })
    process.stdout.write(
      options.json
        ? `${JSON.stringify({ predictions })}\n`
        : options.csv
          ? predictionCsv(predictions, top)
          : `${predictionTable(predictions)}\n`,
    )
    const refused = predictions.filter(({ problem }) => problem !== null).length
    if (refused > 0)
      throw new UserError('data', `Cannot classify ${refused} of ${predictions.length} files: they are named above`)
  })

function whole(name: string, text: string, least: number): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= least) return value
  throw new UserError('usage', `Cannot use --${name} '${text}': give a whole number from ${least} on`)
}
