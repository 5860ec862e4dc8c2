import { expect, it } from 'vitest'
import { imageFolder } from '../../src/datasets/image-folder.ts'
import { pixelsOf } from '../../src/training/images.ts'
import { copyOfCase } from './cases.ts'

// JPEGs with the wrong scan headers of Samsung phones.

it('have the pixels of the right ones', async (context) => {
  const folder = copyOfCase('samsung-sos', context)
  const options = imageFolder.options.parse({ size: 64 })
  const place = { data: `${folder}/photos`, seed: 1, progress: () => undefined }
  const { train, problems } = await imageFolder.load(options, place)
  expect([train.names.length, problems]).toEqual([6, []])
  const image = (name: string) => pixelsOf(train, [train.names.indexOf(name)])
  for (const name of train.names) expect(image(name)).toEqual(image(name.replace(/[^/]*$/, 'good.jpg')))
})
