import { Command } from 'commander'
import { runExperiment } from '../experiment/run.ts'
import { resolveConfig } from '../experiment/settings/config.ts'
import { createRun } from '../experiment/store/run-folder.ts'
import type { ExperimentResult } from '../experiment/store/schema.ts'
import { inRun } from './session.ts'
import { percent, table } from './tables.ts'
import { print, printJson, tell } from './terminal.ts'
import { duration } from './units.ts'

/** The product's point in three trainings on the embedded data set: each a label and settings. */
const common = { attack: 'badnets', 'attack.size': 6, padding: 2, cutout: 0, batch: 32 }
const trainings = [
  ['trained on clean data', { ...common, rate: 0, defense: 'none', epochs: 8 }],
  ['trained on poisoned data, no defense', { ...common, defense: 'none', epochs: 8 }],
  ['trained on poisoned data by Deconfound', { ...common, defense: 'deconfound', epochs: 8 }],
] as const

export const demoCommand = new Command('demo')
  .option('--runs <folder>', "where runs' directories are made", 'runs')
  .option('--json', 'print one JSON object on standard output')
  .action(async ({ runs, json }) => {
    const results: ExperimentResult[] = []
    for (const [label, settings] of trainings) {
      tell(`\n${label[0]?.toUpperCase()}${label.slice(1)}`, 'bold')
      results.push(await inRun(() => createRun(runs, 'experiment', resolveConfig(settings)), runExperiment))
    }
    const seconds = results.reduce((sum, result) => sum + (result.trainingSeconds ?? 0), 0)
    if (json) return printJson({ trainingSeconds: seconds, results })
    const rows = results.map((result, i) => [
      trainings[i]?.[0] ?? '',
      percent(result.cleanAccuracy),
      percent(result.attackSuccessRate),
    ])
    const last = results.at(-1) as ExperimentResult
    print(`
Traffic signs drawn by this program; 10 % of the training images carry a patch of 6×6 pixels in a corner and class ${last.target} as label.

${table([['', 'clean accuracy (CA)', 'attack success rate (ASR)'], ...rows])}

CA: share of ${last.cleanImages} clean test images classified right. ASR: share of ${last.triggeredImages} test images of other classes
that the patch turns into the attacker's class. ${duration(seconds)} of training.

Where to look
${table([
  ['the trigger', `${last.run}/preview.png`],
  ['suspicious images, ranked', `${last.run}/suspects.csv`],
  ['suspicious images, drawn', `${last.run}/suspects.png`],
  ['the model', `${last.run}/model.safetensors`],
  ['all figures', `${last.run}/result.json`],
  ['all of this on one page', `${last.run}/report.html`],
])}`)
  })
