import { afterAll, expect, it } from 'vitest'
import { imageFolder } from '../../src/datasets/image-folder.ts'
import { copyCase, isMissing } from './case.ts'

// JPEGs with the wrong scan headers of Samsung phones.

const { folder, remove } = copyCase('samsung-sos')
afterAll(remove)

it.skipIf(isMissing('samsung-sos'))(
  'have the pixels of the right ones (skipped where the case is not here)',
  async () => {
    const options = imageFolder.options.parse({ size: 64 })
    const context = { data: `${folder}/photos`, seed: 1, progress: () => undefined }
    const { train, problems } = await imageFolder.load(options, context)
    expect([train.names.length, problems]).toEqual([6, []])
    const image = (name: string) => train.pixels.subarray(train.names.indexOf(name) * 12288).subarray(0, 12288)
    for (const name of train.names) expect(image(name)).toEqual(image(name.replace(/[^/]*$/, 'good.jpg')))
  },
)
