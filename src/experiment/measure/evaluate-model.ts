import { UserError } from '../../errors.ts'
import { arena } from '../../tensor/scope.ts'
import type { ImageSet } from '../../training/images.ts'
import { craftAttack } from '../prepare/craft.ts'
import { craftAgain } from '../prepare/craft-again.ts'
import { inTrainingOrder, loadDataset } from '../prepare/data.ts'
import type { Listener } from '../prepare/listener.ts'
import type { Config } from '../settings/config.ts'
import { describeEnvironment, settleCompute } from '../store/environment.ts'
import type { RecordedTrigger } from '../store/recorded-trigger.ts'
import { loadModel, type ModelDescription } from '../store/saved-model.ts'
import { evaluate } from './evaluate.ts'

export interface EvaluateOptions {
  readonly listener: Listener
  /** the trigger must be this one; what it has learned is read from there */
  readonly recorded?: RecordedTrigger | undefined
}

/** Measures a saved model on a data set's test images, and against the configured attack's trigger. */
export async function evaluateModel(modelFile: string, config: Config, { listener, recorded }: EvaluateOptions) {
  const compute = settleCompute(config)
  return arena(async () => {
    const { model, description } = loadModel(modelFile, compute)
    const { train: given, test, problems } = await loadDataset(config, listener)
    if (!test) throw new UserError('data', `Cannot measure on '${config.dataset}': it has no test images`)
    const classOf = matchClasses(description, test, `'${modelFile}' on '${config.dataset}'`)
    const { train } = inTrainingOrder(given, config)
    const { attack, trigger } = recorded
      ? await craftAgain(recorded, config, train, { compute, listener })
      : await craftAttack(config, train, { compute, listener })
    return {
      model: modelFile,
      dataset: config.dataset,
      attack: config.attack,
      trigger,
      triggerFrom: recorded?.path ?? null,
      target: config.target,
      seed: config.seed,
      ...(await evaluate(model, test, { attack, device: compute.device, classOf })),
      skippedFiles: problems,
      environment: { ...describeEnvironment(compute), testHash: test.hash },
    }
  })
}

/** By each of the model's classes, the data's of the same name: folders are sorted, other data sets are not. */
function matchClasses({ shape, classes }: ModelDescription, test: ImageSet, what: string): Int32Array {
  const classOf = Int32Array.from(classes, (name) => test.classes.indexOf(name))
  const unknown = classes[classOf.indexOf(-1)]
  if (test.shape.join() !== shape.join() || test.classes.length !== classes.length || unknown !== undefined) {
    const one = `${classes.length} classes of ${shape.join('×')}`
    const other = `${test.classes.length} of ${test.shape.join('×')}`
    const names = unknown === undefined ? '' : `, and none is called '${unknown}'`
    throw new UserError('data', `Cannot measure ${what}: the model takes ${one}, the data has ${other}${names}`)
  }
  return classOf
}
