import { Command } from 'commander'
import type { DatasetEntry } from '../datasets/dataset.ts'
import { fetchPublished, sourceOf } from '../datasets/fetch.ts'
import { datasets } from '../datasets/index.ts'
import type { Release } from '../datasets/release.ts'
import { withExamples } from './failure.ts'
import { oneOf } from './options.ts'
import { withListener } from './session.ts'
import { print, printJson, shown } from './terminal.ts'
import { bytes } from './units.ts'

const published = Object.fromEntries(
  Object.entries(datasets as Readonly<Record<string, DatasetEntry>>).flatMap(([name, { release }]) =>
    release ? [[name, release]] : [],
  ),
)
const names = Object.keys(published)

interface Options {
  readonly to: string
  readonly mirror?: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

export const dataCommand = withExamples(
  new Command('data')
    .argument('<action>', "'fetch'", oneOf('do with data', ['fetch']))
    .argument('<dataset>', `of ${names.join(', ')}`, oneOf('fetch', names))
    .option('--to <folder>', "where the data set's folder is put", 'data')
    .option('--mirror <place>', 'where the archives are: an address that their names are added to, or a folder')
    .option('--dry-run', 'say what would be fetched, from where and to where, and stop')
    .option('--json', 'print one JSON object on standard output'),
  'deconfound data fetch cifar10',
  'deconfound data fetch gtsrb --to /scratch/data',
  'deconfound data fetch cifar10 --mirror https://mirror.example.org/cifar',
  'deconfound data fetch cifar10 --mirror ~/Downloads',
).action(async (_: string, name: string, options: Options) => {
  const release = published[name] as Release
  const { to, mirror, json } = options
  if (options.dryRun) return tellPlan(release, options)
  const { folder, wasThere } = await withListener(({ say, fetching }) =>
    fetchPublished(release, { to, mirror, say, progress: fetching }),
  )
  if (json) printJson({ dataset: name, folder, wasThere })
  else print(`${shown(folder)} ${wasThere ? 'was there already' : 'is there now, as published'}`)
})

function tellPlan(release: Release, { to, mirror, json }: Options): void {
  const archives = release.archives.map((archive) => ({
    from: sourceOf(archive, { to, mirror }),
    bytes: archive.bytes,
    md5: archive.md5,
    sha256: archive.sha256 ?? null,
  }))
  const folder = `${to.replace(/\/+$/, '')}/${release.folder}`
  const lines = archives.map(({ from, bytes: size, md5 }) => `${from}: ${bytes(size)}, MD5 ${md5}`)
  if (json) printJson({ folder, archives })
  else print(`${lines.join('\n')}\nto ${folder}\nNothing was fetched: this was a dry run`)
}
