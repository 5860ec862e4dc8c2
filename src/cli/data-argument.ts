import type { Command } from 'commander'
import { UserError } from '../errors.ts'
import { onData } from '../experiment/prepare/data.ts'
import type { Config } from '../experiment/settings/config.ts'
import { readConfiguration } from './configuration.ts'

/** What help says of a command's images. */
export const imagesArgument =
  "images with labels: a folder of class folders, a published data set's folder, or a .csv, .jsonl, .tar or .parquet file"

/** The same of a command that takes images otherwise too. */
export const dataArgument = `${imagesArgument}; without it, what --dataset names`

/** The configuration of a command whose first word may say where the images are. */
export function readDataConfiguration(command: Command): Config {
  const [data] = command.args
  if (data === undefined) return readConfiguration(command)
  refuseTwice(command, data)
  return readConfiguration(command, (given) => onData(data, given))
}

/** A UserError where the images are named by a word and by an option. */
export function refuseTwice(command: Command, data: string): void {
  const flags = command.opts() as Record<string, unknown>
  const twice = ['dataset', 'data'].find((name) => flags[name] !== undefined)
  if (twice) throw new UserError('usage', `Cannot use '--${twice}' with the images in '${data}': give one of them`)
}
