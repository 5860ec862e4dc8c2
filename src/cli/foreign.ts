import { type Command, Option } from 'commander'
import { UserError } from '../errors.ts'
import { type ForeignReading, usualSize } from '../experiment/store/foreign-model.ts'
import { readText } from './configuration.ts'

// What a model that was trained elsewhere does not say of itself.

/** Lets a command take a safetensors file of torchvision's or timm's names as a model. */
export function withForeign(command: Command): Command {
  return command
    .option(
      '--classes <file>',
      'for a model trained elsewhere: a file with the name of a class on each line, in the order of its outputs',
    )
    .option('--size <n>', `for a model trained elsewhere: side of its images in pixels (default: ${usualSize})`)
    .addOption(
      new Option(
        '--normalization <name>',
        'for a model trained elsewhere: imagenet, less 0.485 0.456 0.406 and divided by 0.229 0.224 0.225; half, by 0.5 and 0.5 (default: imagenet)',
      ).choices(['imagenet', 'half']),
    )
}

/** What the user said of such a model. */
export function foreignReading({ classes, size, normalization }: Record<string, unknown>): ForeignReading {
  return {
    classes: classes === undefined ? undefined : classNames(String(classes)),
    size: size === undefined ? undefined : sideOf(String(size)),
    normalization: normalization as ForeignReading['normalization'],
  }
}

function classNames(file: string): string[] {
  const names = readText(file, 'list of classes')
    .split(/\r?\n/)
    .map((line) => line.trim().normalize('NFC'))
  if (names.at(-1) === '') names.pop()
  const empty = names.indexOf('')
  const twice = names.findIndex((name, i) => names.indexOf(name) < i)
  if (names.length === 0)
    throw new UserError('usage', `Cannot use the list of classes '${file}': it is empty; name each class on a line`)
  const at = empty >= 0 ? empty : twice
  if (at < 0) return names
  const facts = empty >= 0 ? 'it is empty' : `'${names[at]}' was there before`
  throw new UserError(
    'usage',
    `Cannot use line ${at + 1} of the list of classes '${file}': ${facts}; give each class a name of its own`,
  )
}

function sideOf(text: string): number {
  const side = Number(text)
  if (Number.isInteger(side) && side >= 8 && side <= 4096) return side
  throw new UserError('usage', `Cannot use --size '${text}': give a whole number of pixels from 8 to 4096`)
}
