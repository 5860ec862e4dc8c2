// WebDataset shards: tar archives in which files of one key lie beside each other, an image (`0001.jpg`) and its label
// (`0001.cls`, `0001.json` with a `label`, or `0001.txt`). The archives are not extracted: one pass over their headers
// finds where the images lie, and each is read from its place. Links in an archive are not followed. A damaged archive
// is refused as a whole, since nobody knows what its rest holds.
import { basename } from 'node:path'
import { z } from 'zod'
import { UserError } from '../errors.ts'
import { defineDataset, type LoadContext, type Problem } from './dataset.ts'
import { decodeSets, decodeShape, type EncodedSets } from './encoded.ts'
import { type Labelled, labelledSets } from './labelled.ts'
import { readSlice } from './slice.ts'
import { splitFiles } from './split-files.ts'
import { openTar } from './tar/entries.ts'
import { readSamples } from './tar/samples.ts'
import { presentShards, shardsAt } from './tar/shards.ts'

/** Tar archives of images and labels, as WebDataset writes them. */
export const tar = defineDataset({
  title: 'WebDataset shards',
  source: 'https://github.com/webdataset/webdataset',
  data: 'a .tar file, a folder of such, or a list: shards-{000..012}.tar',
  target: 0,
  flip: true,
  learningRate: 0.1,
  options: z.object(decodeShape({ size: 32 })),
  recognizes: (path) => shardsAt(path) !== undefined,
  folderOf: () => null,
  async load(settings, context) {
    const { data } = context
    if (data === undefined) throw new UserError('usage', 'Cannot load shards from nowhere: give --data a .tar file')
    return decodeSets(await look(data, settings.maxBroken, context), settings, context)
  },
})

async function look(data: string, maxBroken: number, { progress }: LoadContext): Promise<EncodedSets> {
  const { files, unused } = splitFiles(presentShards(data))
  const faults: Problem[] = []
  const problems: Problem[] = unused.map((file) => ({ file, reason: 'it is not used: its name says no split' }))
  const images: Labelled[] = []
  for (const [done, { path, split }] of files.entries()) {
    progress(done, files.length)
    const archive = openTar(path)
    const named = (name: string) => (files.length === 1 ? name : `${basename(path)}/${name}`)
    const own = { faults: [] as Problem[], problems: [] as Problem[] }
    try {
      for (const { image, label } of await readSamples(archive, own)) {
        const { at, size: length } = image
        const stamp = `${archive.stamp} ${at} ${length}`
        images.push({ name: named(image.name), label, split, stamp, read: () => readSlice({ path, at, length }) })
      }
    } finally {
      archive.close()
    }
    const renamed = ({ file, reason }: Problem) => ({ file: named(file), reason })
    faults.push(...own.faults.map(renamed))
    problems.push(...own.problems.map(renamed))
  }
  const total = images.length + faults.length
  return labelledSets(images, { data, faults, problems, total, noun: 'image', maxBroken, notes: [] })
}
