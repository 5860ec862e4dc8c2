import type { Command } from 'commander'
import { UserError } from '../errors.ts'
import { onFolder } from '../experiment/prepare/data.ts'
import type { Config } from '../experiment/settings/config.ts'
import { readConfiguration } from './configuration.ts'

/** What help says of it. */
export const dataArgument = 'a folder of class folders, or of CIFAR-10 batches; without it, what --dataset names'

/** The configuration of a command whose first word may be a folder of images. */
export function readDataConfiguration(command: Command): Config {
  const [folder] = command.args
  if (folder === undefined) return readConfiguration(command)
  refuseTwice(command, folder)
  return readConfiguration(command, (given) => onFolder(folder, given))
}

/** A UserError where the folder of the images is named by a word and by an option. */
export function refuseTwice(command: Command, folder: string): void {
  const flags = command.opts() as Record<string, unknown>
  const twice = ['dataset', 'data'].find((name) => flags[name] !== undefined)
  if (twice) throw new UserError('usage', `Cannot use '--${twice}' with the folder '${folder}': give one of them`)
}
