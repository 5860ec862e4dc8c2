import { dirname, resolve } from 'node:path'
import { makeFolder } from '../files.ts'
import { writePreview } from '../report/preview.ts'
import { arena } from '../tensor/scope.ts'
import { refuseNoAttack } from './poison-data.ts'
import { craftAttack } from './prepare/craft.ts'
import { inTrainingOrder, loadDataset } from './prepare/data.ts'
import type { Listener } from './prepare/listener.ts'
import type { Config } from './settings/config.ts'
import { settleCompute } from './store/environment.ts'

/** Draws the configured attack's trigger on eight images, test images where there are any; it learns first if it must. */
export async function previewTrigger(config: Config, { out, listener }: { out: string; listener: Listener }) {
  refuseNoAttack(config, 'draw a trigger')
  const compute = settleCompute(config)
  return arena(async () => {
    const { train: given, test, problems } = await loadDataset(config, listener)
    const { train } = inTrainingOrder(given, config)
    const { attack, trigger, report, poison } = await craftAttack(config, train, { compute, listener })
    const preview = resolve(out)
    makeFolder(dirname(preview))
    const training = attack.poison && { train, poisoned: poison() }
    await writePreview(preview, { clean: test ?? train, attack, training })
    return { attack: config.attack, trigger, preview, attackReport: report, skippedFiles: problems }
  })
}

export type PreviewResult = Awaited<ReturnType<typeof previewTrigger>>
