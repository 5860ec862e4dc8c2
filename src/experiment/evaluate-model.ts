import { UserError } from '../errors.ts'
import { arena } from '../tensor/scope.ts'
import type { Config } from './config.ts'
import { craftAttack } from './craft.ts'
import { describeEnvironment, settleCompute } from './environment.ts'
import { evaluate } from './evaluate.ts'
import type { Listener } from './listener.ts'
import { inTrainingOrder, loadDataset } from './run.ts'
import { loadModel } from './saved-model.ts'

/** Measures a saved model on a data set's test images, and against the configured attack's trigger. */
export async function evaluateModel(modelFile: string, config: Config, listener: Listener) {
  const compute = settleCompute(config)
  return arena(async () => {
    const { model, description } = loadModel(modelFile, compute)
    const { train: given, test } = await loadDataset(config, listener)
    if (!test) throw new UserError('data', `Cannot measure on '${config.dataset}': it has no test images`)
    const different = test.classes.findIndex((name, i) => name !== description.classes[i])
    if (
      test.shape.join() !== description.shape.join() ||
      test.classes.length !== description.classes.length ||
      different >= 0
    ) {
      const one = `${description.classes.length} classes of ${description.shape.join('×')}`
      const other = `${test.classes.length} of ${test.shape.join('×')}`
      const names =
        different >= 0
          ? `; class ${different} is '${description.classes[different]}' there, '${test.classes[different]}' here`
          : ''
      throw new UserError(
        'data',
        `Cannot measure '${modelFile}' on '${config.dataset}': the model takes ${one}, the data has ${other}${names}`,
      )
    }
    const { attack, trigger } = await craftAttack(config, inTrainingOrder(given, config).train, { compute, listener })
    return {
      ...{ model: modelFile, dataset: config.dataset, attack: config.attack, trigger },
      ...{ target: config.target, seed: config.seed },
      ...(await evaluate(model, test, { attack, device: compute.device })),
      environment: { ...describeEnvironment(compute), testHash: test.hash },
    }
  })
}
