import { Command } from 'commander'
import { UserError } from '../errors.ts'
import { classifyFiles } from '../experiment/measure/classify.ts'
import { settleCompute } from '../experiment/store/environment.ts'
import { modelFile } from '../experiment/store/model-file.ts'
import { percent, table } from './tables.ts'

export const predictCommand = new Command('predict')
  .description('Classify image files with a model')
  .argument('<model>', "a model file, or a run's directory")
  .argument('<files...>', 'images: JPEG, PNG, WebP, PPM')
  .option('--device <name>', "'auto', 'cpu' or 'cuda:N'", 'auto')
  .option('--json', 'print one JSON object on standard output')
  .addHelpText('after', '\nExample:\n  deconfound predict runs/…/model.safetensors photo.jpg')
  .action(async (model: string, files: string[], options) => {
    const compute = settleCompute({ device: options.device, precision: 'fp32', threads: 0 })
    const predictions = await classifyFiles(modelFile(model), files, compute)
    const line = ({ file, class: name, probability, problem }: (typeof predictions)[number]) => [
      file,
      name ?? `refused: ${problem}`,
      name ? percent(probability) : '',
    ]
    process.stdout.write(options.json ? `${JSON.stringify({ predictions })}\n` : `${table(predictions.map(line))}\n`)
    const refused = predictions.filter(({ problem }) => problem !== null).length
    if (refused > 0)
      throw new UserError('data', `Cannot classify ${refused} of ${files.length} files: they are named above`)
  })
