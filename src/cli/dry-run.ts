import type { Config } from '../experiment/config.ts'
import { settleCompute } from '../experiment/environment.ts'
import { loadDataset } from '../experiment/run.ts'
import { withListener } from './session.ts'

/** Reads the data and settles the machine, says what a run would do, and does none of it. */
export async function dryRun(config: Config, { json }: { json?: boolean }): Promise<void> {
  const compute = settleCompute(config)
  const { train, test, problems } = await withListener((listener) => loadDataset(config, listener))
  const plan = {
    ...{
      trainingImages: train.labels.length,
      testImages: test?.labels.length ?? 0,
      classes: train.classes.length,
      shape: train.shape,
    },
    ...{ skippedFiles: problems.length, attack: config.attack, defense: config.defense, preset: config.preset },
    ...{ epochs: config.epochs, stepsPerEpoch: Math.ceil(train.labels.length / config.batch), ...compute },
  }
  const lines = Object.entries(plan).map(
    ([name, value]) => `${name}: ${Array.isArray(value) ? value.join('×') : value}`,
  )
  process.stdout.write(
    json ? `${JSON.stringify(plan)}\n` : `${lines.join('\n')}\nNothing was trained: this was a dry run\n`,
  )
}
