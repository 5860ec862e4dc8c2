import type { Problem } from '../datasets/dataset.ts'
import { type FileFacts, factsOfTree } from '../datasets/file-facts.ts'
import { datasets } from '../datasets/index.ts'
import { DataRefusal } from '../datasets/refusal.ts'
import { exitCode, UserError } from '../errors.ts'
import type { Material } from './check/finding.ts'
import { checks, type Kind } from './check/index.ts'
import { checkVersion, type Report } from './check/report.ts'
import type { Listener } from './prepare/listener.ts'
import type { Config } from './settings/config.ts'
import { loadUntrusted } from './train.ts'

/** Everything that is wrong with a data set, found by reading: nothing is trained, changed, moved or removed. */
export async function checkData(config: Config, listener: Listener): Promise<Report> {
  const { sets, problems, refused } = await load(config, listener)
  const material: Material = { sets, problems, files: await filesOf(config, { sets, problems, listener }) }
  const findings = Object.entries(checks).flatMap(([kind, { find }]) => {
    const found = find(material)
    return found ? [{ kind: kind as Kind, ...found }] : []
  })
  return {
    version: checkVersion,
    data: config.data ?? null,
    dataset: config.dataset,
    refused,
    trainingImages: sets?.train.labels.length ?? null,
    testImages: sets?.test?.labels.length ?? null,
    classes: sets ? countsOf(sets.train) : null,
    shape: sets ? [...sets.train.shape] : null,
    findings,
  }
}

interface LoadedOrNot extends Pick<Material, 'sets' | 'problems'> {
  /** why training would be refused */
  readonly refused: string | null
}

async function load(config: Config, listener: Listener): Promise<LoadedOrNot> {
  try {
    // as 'train' does it, so that what is refused there is refused here; held-out images are looked at too
    const { given, test, problems } = await loadUntrusted(config, { ...listener, say() {} })
    return { sets: { train: given, test }, problems, refused: null }
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== exitCode.data) throw error
    const problems: readonly Problem[] = error instanceof DataRefusal ? error.problems : []
    return { sets: null, problems, refused: error.message }
  }
}

interface Looking extends Pick<Material, 'sets' | 'problems'> {
  readonly listener: Listener
}

/** Facts about the files that are images, or should be; of data that are refused, about all that look like images. */
async function filesOf(
  { dataset, data }: Config,
  { sets, problems, listener }: Looking,
): Promise<Map<string, FileFacts>> {
  const folder = data === undefined ? null : datasets[dataset].folderOf(data)
  if (folder === null) return new Map()
  const names = [...(sets?.train.names ?? []), ...(sets?.test?.names ?? []), ...problems.map(({ file }) => file)]
  const known = new Set(names)
  const wanted = (name: string) => sets === null || known.has(name)
  try {
    const files = await factsOfTree(folder, { wanted, progress: listener.reading })
    return new Map(files.map((facts) => [facts.name, facts]))
  } catch (error) {
    // a folder that is not there, or no folder: loading has said so
    if (error instanceof UserError || typeof (error as NodeJS.ErrnoException).code === 'string') return new Map()
    throw error
  }
}

function countsOf({ classes, labels }: NonNullable<Material['sets']>['train']): Record<string, number> {
  const counts = classes.map((name, label): [string, number] => [name, labels.filter((each) => each === label).length])
  return Object.fromEntries(counts)
}
