import { UserError } from '../../errors.ts'
import type { Compute } from '../../tensor/device.ts'
import type { ImageSet } from '../../training/images.ts'
import type { Config } from '../settings/config.ts'
import type { RecordedTrigger } from '../store/recorded-trigger.ts'
import { type CraftedAttack, craftAttack, NotLearned } from './craft.ts'
import type { Listener } from './listener.ts'

/** Makes a recorded attack ready once more, with what it has learned; anything but the recorded trigger is an error. */
export async function craftAgain(
  recorded: RecordedTrigger,
  config: Config,
  train: ImageSet,
  { compute, listener }: { compute: Compute; listener: Listener },
): Promise<CraftedAttack> {
  const options = { compute, listener, file: recorded.file, mayLearn: false }
  const crafted = await craftAttack(config, train, options).catch(explain(recorded))
  const { trigger } = crafted
  if (trigger !== recorded.trigger) {
    throw new UserError(
      'verification',
      `Cannot make the trigger of '${recorded.path}' again: it comes out as ${trigger.slice(0, 16)}, and ${recorded.trigger.slice(0, 16)} is recorded; its files have changed, or its images have another form here`,
    )
  }
  return crafted
}

function explain({ path }: RecordedTrigger) {
  return (error: unknown): never => {
    if (!(error instanceof NotLearned)) throw error
    const facts = 'what the attack learned is not there (trigger*.safetensors)'
    throw new UserError('data', `Cannot make the trigger of '${path}' again: ${facts}; restore it`)
  }
}
