import { UserError } from '../errors.ts'
import { craftAttack, NotLearned } from '../experiment/prepare/craft.ts'
import { inTrainingOrder, loadDataset } from '../experiment/prepare/data.ts'
import type { Config } from '../experiment/settings/config.ts'
import { settleCompute } from '../experiment/store/environment.ts'
import type { RunKind } from '../experiment/store/run-folder.ts'
import { buildModel } from '../experiment/store/saved-model.ts'
import { parameterCount } from '../nn/module.ts'
import { Random } from '../tensor/random.ts'
import { arena } from '../tensor/scope.ts'
import { withListener } from './session.ts'

/** Reads the data, settles the machine, makes attack and model ready, says what a run would do, and trains nothing. */
export async function dryRun(config: Config, kind: RunKind, { json }: { json?: boolean }): Promise<void> {
  const compute = settleCompute(config)
  const plan = await arena(async () => {
    const { train, test, problems } = await withListener((listener) => loadDataset(config, listener))
    if (kind === 'experiment') {
      if (!test) throw new UserError('data', `Cannot measure on '${config.dataset}': it has no test images`)
      await withListener((listener) =>
        craftAttack(config, inTrainingOrder(train, config).train, { compute, listener, mayLearn: false }),
      ).catch((error) => {
        if (!(error instanceof NotLearned)) throw error
      })
    }
    const { classes, shape } = train
    const description = {
      model: config.model,
      options: config.options.model,
      classes,
      shape,
      normalization: null,
      fit: 'cover' as const,
    }
    const model = buildModel(description, { random: new Random(0), compute })
    return {
      trainingImages: train.labels.length,
      testImages: test?.labels.length ?? 0,
      classes: classes.length,
      shape,
      skippedFiles: problems.length,
      attack: config.attack,
      defense: config.defense,
      preset: config.preset,
      model: config.model,
      parameters: parameterCount(model),
      epochs: config.epochs,
      ...compute,
    }
  })
  const lines = Object.entries(plan).map(
    ([name, value]) => `${name}: ${Array.isArray(value) ? value.join('×') : value}`,
  )
  process.stdout.write(
    json ? `${JSON.stringify(plan)}\n` : `${lines.join('\n')}\nNothing was trained: this was a dry run\n`,
  )
}
