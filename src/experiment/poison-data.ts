import { lstatSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join, relative, resolve, sep } from 'node:path'
import { stringify } from 'yaml'
import { cifarWriter } from '../datasets/cifar-writer.ts'
import { foldersWriter } from '../datasets/folders-writer.ts'
import { UserError } from '../errors.ts'
import { writePreview } from '../report/preview.ts'
import { Random } from '../tensor/random.ts'
import { arena } from '../tensor/scope.ts'
import { subset } from '../training/images.ts'
import { craftAttack } from './prepare/craft.ts'
import { inTrainingOrder, loadDataset } from './prepare/data.ts'
import type { Listener } from './prepare/listener.ts'
import type { Truth } from './prepare/poison.ts'
import { labelsOf } from './settings/attack-options.ts'
import { type Config, flattenConfig } from './settings/config.ts'
import { settleCompute } from './store/environment.ts'
import { newFolders } from './store/new-folders.ts'
import { withAbsoluteData } from './store/run-folder.ts'

// A poisoned data set is a folder that betrays nothing but by its pixels and labels: files are numbered and written in a
// random order, encoded alike, and bear one time. What was done to it lies beside it, in FOLDER-truth:
//   config.yaml    everything that determines it; it alone repeats it
//   truth.json     the trigger's identity, and each poisoned or cover image: file, original label, label given
//   preview.png    the trigger
//   trigger*.safetensors    what the attack has learned, where it learns

/** The forms a data set can be written in. */
export const formats = { folders: foldersWriter, cifar: cifarWriter } as const
export type Format = keyof typeof formats

/** The time that every file and folder of a written data set bears. */
const moment = new Date('2000-01-01T00:00:00Z')

export interface PoisonDataOptions {
  /** the folder to make; the truth goes to its sibling of the same name with `-truth` */
  readonly out: string
  readonly format: Format
  readonly listener: Listener
}

/** Writes the configured data set with a share of its training images poisoned as a run would poison them. */
export async function poisonData(config: Config, { out, format, listener }: PoisonDataOptions) {
  refuseNoAttack(config, 'poison')
  const data = resolve(out)
  const truth = `${data}-truth`
  if (config.data !== undefined && isInside(data, resolve(config.data)))
    throw new UserError('usage', `Cannot write to '${data}': it lies in the folder the images come from; name another`)
  const writer = formats[format]
  const compute = settleCompute(config)

  return newFolders([truth, data], ([truthFolder, dataFolder]) =>
    arena(async () => {
      const file = (name: string) => join(truthFolder as string, name)
      const { train: given, test, problems } = await loadDataset(config, listener)
      writer.check({ train: given, test })
      const { train } = inTrainingOrder(given, config)
      const { attack, target, trigger, report, ...crafted } = await craftAttack(config, train, {
        compute,
        listener,
        file,
      })
      const poisoned = crafted.poison()

      const count = train.labels.length
      const order = new Random(config.seed).fork('written').permutation(count)
      const written = subset(poisoned.set, order)
      const files = await writer.write(dataFolder as string, { train: written, test }, (done, total) => {
        listener.writing(done, total)
        if (listener.interrupted())
          throw new UserError('saved', 'Stopped on request; no data set was written: give the command again')
      })
      leaveNoTimes(Buffer.from(dataFolder as string))

      const result = {
        out: data,
        truth,
        format,
        attack: config.attack,
        trigger,
        target: config.labelling === 'all-to-one' ? (train.classes[target] as string) : null,
        poisonHash: poisoned.truth.hash,
        poisonedImages: poisoned.truth.poisoned.length,
        coverImages: poisoned.truth.covers.length,
        images: count,
        classes: train.classes,
        shape: train.shape,
        rate: poisoned.truth.poisoned.length / count,
        attackReport: report,
        skippedFiles: problems,
      }
      const { out: _, truth: __, ...facts } = result
      const lists = listImages(poisoned.truth, { order, files, given: poisoned.set.labels, ...train })
      writeFileSync(file('config.yaml'), stringify(flattenConfig(withAbsoluteData(config))))
      writeFileSync(file('kind'), 'truth\n')
      writeFileSync(file('truth.json'), `${JSON.stringify({ ...facts, ...lists }, null, 2)}\n`)
      await writePreview(file('preview.png'), { clean: test ?? train, attack, training: { train, poisoned } })
      return result
    }),
  )
}

export type PoisonDataResult = Awaited<ReturnType<typeof poisonData>>

/** A UserError for an attack that does nothing. */
export function refuseNoAttack({ attack, options }: Config, action: string): void {
  const labels = labelsOf(attack, options.attack)
  if (labels === 'none')
    throw new UserError('usage', `Cannot ${action} by attack '${attack}': it does nothing; choose one with --attack`)
}

interface WrittenImages {
  /** by place in the order of writing, the place in the order of training */
  readonly order: Int32Array
  /** by place in the order of writing */
  readonly files: readonly string[]
  /** labels after poisoning and names before, in the order of training */
  readonly given: Int32Array
  readonly names: readonly string[]
  readonly classes: readonly string[]
}

/** What was done to which file, in the order of writing; `index` is the place in it, `source` the original's name. */
function listImages(truth: Truth, { order, files, given, names, classes }: WrittenImages) {
  const place = new Int32Array(order.length)
  for (const [k, i] of order.entries()) place[i] = k
  const list = (indices: Int32Array) =>
    Array.from(indices, (i) => ({
      index: place[i] as number,
      file: files[place[i] as number],
      source: names[i],
      original: classes[truth.originalLabels[i] as number],
      label: classes[given[i] as number],
    })).sort((a, b) => a.index - b.index)
  return { poisoned: list(truth.poisoned), covers: list(truth.covers) }
}

/** Gives everything in a folder, and the folder, one time: else it would tell what was written when. */
function leaveNoTimes(path: Buffer): void {
  if (lstatSync(path).isDirectory()) {
    for (const name of readdirSync(path, { encoding: 'buffer' }))
      leaveNoTimes(Buffer.concat([path, Buffer.from(sep), name]))
  }
  utimesSync(path, moment, moment)
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path)
  return way !== '..' && !way.startsWith(`..${sep}`)
}
