import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../../errors.ts'
import { packageRoot } from '../../tensor/build.ts'
import { check } from '../settings/check.ts'
import { type Config, parseConfigFile } from '../settings/config.ts'
import { parseSweep } from '../store/sweep-file.ts'

// A folder of records may hold `published.yaml`: figures that its cells are compared with, and the sweep that fills it.

const figure = z.strictObject({
  CA: z.number().min(0).max(100).describe('percent'),
  ASR: z.number().min(0).max(100).optional().describe('percent; absent without an attack'),
})
const publishedFile = z.strictObject({
  source: z.string().describe('where the figures were published'),
  sweep: z.string().describe('the file of the sweep, from the package'),
  figures: z.record(z.string(), z.record(z.string(), figure)).describe('by attack, then by column of the table'),
})

/** A figure that was published, shares in [0, 1]. */
export interface PublishedFigure {
  readonly cleanAccuracy: number
  readonly attackSuccessRate: number | null
}

export interface Published {
  readonly source: string
  /** the experiments that the folder is to hold */
  readonly planned: readonly Config[]
  /** undefined where nothing was published */
  of(attack: string, column: string): PublishedFigure | undefined
}

/** Undefined for a folder that is compared with nothing. */
export function readPublished(folder: string): Published | undefined {
  const path = join(folder, 'published.yaml')
  if (!existsSync(path)) return undefined
  const file = parseConfigFile(readFileSync(path, 'utf8'), path)
  const { source, sweep, figures } = check(publishedFile, file, { source: `'${path}'`, prefix: '' })
  return {
    source,
    planned: parseSweep(readSweep(sweep, path), sweep).cells,
    of(attack, column) {
      const found = figures[attack]?.[column]
      return (
        found && { cleanAccuracy: found.CA / 100, attackSuccessRate: found.ASR === undefined ? null : found.ASR / 100 }
      )
    },
  }
}

function readSweep(sweep: string, named: string): string {
  try {
    return readFileSync(join(packageRoot(), sweep), 'utf8')
  } catch (error) {
    const facts = `the sweep '${sweep}', which '${named}' names, cannot be read: ${(error as Error).message}`
    throw new UserError('usage', `Cannot make a table: ${facts}; mend or remove '${named}'`)
  }
}
