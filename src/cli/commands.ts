import { demoCommand } from './demo.ts'
import { detectCommand } from './detect.ts'
import { doctorCommand } from './doctor.ts'
import { evaluateCommand } from './evaluate.ts'
import { listCommand } from './list.ts'
import { poisonCommand } from './poison.ts'
import { predictCommand } from './predict.ts'
import { previewCommand } from './preview.ts'
import { resumeCommand } from './resume.ts'
import { runCommand } from './run.ts'
import { sweepCommand } from './sweep.ts'
import { tableCommand } from './table.ts'
import { trainCommand } from './train.ts'
import { tuneCommand } from './tune.ts'

/** All commands, in the order help shows them. */
export const commands = [
  demoCommand,
  trainCommand,
  predictCommand,
  runCommand,
  poisonCommand,
  previewCommand,
  evaluateCommand,
  detectCommand,
  resumeCommand,
  sweepCommand,
  tableCommand,
  tuneCommand,
  listCommand,
  doctorCommand,
]
