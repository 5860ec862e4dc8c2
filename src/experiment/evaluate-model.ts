import type { AttackEntry } from '../attacks/attack.ts'
import { attacks } from '../attacks/index.ts'
import { UserError } from '../errors.ts'
import { Random } from '../tensor/random.ts'
import { arena } from '../tensor/scope.ts'
import type { Config } from './config.ts'
import { settleCompute } from './environment.ts'
import { evaluate } from './evaluate.ts'
import type { Listener } from './listener.ts'
import { loadDataset } from './run.ts'
import { loadModel } from './saved-model.ts'

/** Measures a saved model on a data set's test images, and against the configured attack's trigger. */
export async function evaluateModel(modelFile: string, config: Config, listener: Listener) {
  const compute = settleCompute(config)
  return arena(async () => {
    const { model, description } = loadModel(modelFile, compute)
    const { train, test } = await loadDataset(config, listener)
    if (!test) throw new UserError('data', `Cannot measure on '${config.dataset}': it has no test images`)
    if (test.shape.join() !== description.shape.join() || test.classes.length !== description.classes.length) {
      const facts = `the model takes ${description.classes.length} classes of ${description.shape.join('×')}, the data has ${test.classes.length} of ${test.shape.join('×')}`
      throw new UserError('data', `Cannot measure '${modelFile}' on '${config.dataset}': ${facts}`)
    }
    const entry = attacks[config.attack] as unknown as AttackEntry
    const view = { random: new Random(config.seed).fork('attack'), train, target: config.target }
    const attack = await entry.craft(config.options.attack, view)
    return {
      model: modelFile,
      dataset: config.dataset,
      attack: config.attack,
      ...(await evaluate(model, test, { attack, device: compute.device })),
    }
  })
}
