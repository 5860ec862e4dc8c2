import { join } from 'node:path'
import { Command } from 'commander'
import { flaggedFiles, moveFlagged } from '../experiment/flagged-files.ts'
import { withExamples } from './failure.ts'
import { print, printJson, tell } from './terminal.ts'

export const suspectsCommand = withExamples(
  new Command('suspects')
    .argument('<run>', "a run's directory")
    .option('--move-to <folder>', 'move the files there, out of the data, into folders of their classes')
    .option('--json', 'print one JSON object on standard output'),
  'deconfound suspects runs/…',
  'deconfound suspects runs/… --move-to set-aside',
).action((run: string, { moveTo, json }: { moveTo?: string; json?: boolean }) => {
  const flagged = flaggedFiles(run)
  if (moveTo !== undefined) {
    moveFlagged(flagged, moveTo)
    tell(`${flagged.names.length} flagged files moved from ${flagged.data} to ${moveTo}`)
  }
  const folder = moveTo ?? flagged.data
  if (json) printJson({ run, data: flagged.data, movedTo: moveTo ?? null, files: flagged.names })
  else if (flagged.names.length > 0) print(flagged.names.map((name) => join(folder, name)).join('\n'))
})
