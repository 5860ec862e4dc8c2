import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { classify, evaluate, run } from '../../src/experiment/api.ts'
import { device } from '../device.ts'
import { copyOfCase } from './cases.ts'

it('reads images as the model was trained on them, whoever measures', async (context) => {
  const home = copyOfCase('evaluate-other-fit', context)
  const data = join(home, 'wide')
  const of = { dataset: 'image-folder', data, 'dataset.fit': 'contain', attack: 'badnets', rate: 0.05 } as const
  const trained = await run({ ...of, epochs: 12, batch: 8, flip: false, device, threads: 1 }, { runs: home })
  expect(trained.cleanAccuracy).toBe(1)
  const asked = { dataset: 'image-folder', data, attack: 'badnets' } as const
  expect(await evaluate(trained.run, asked)).toMatchObject({ cleanAccuracy: 1, trigger: trained.trigger })
  cpSync(join(trained.run, 'model.safetensors'), join(home, 'alone.safetensors'))
  expect((await evaluate(join(home, 'alone.safetensors'), asked)).cleanAccuracy).toBe(1)
  const [said] = await classify(trained.run, [join(data, 'test/red/50.png')])
  expect(said?.class).toBe('red')
  await expect(evaluate(trained.run, { 'dataset.fit': 'cover' })).rejects.toThrow(
    "on images read with fit 'cover': it was trained on images read with 'contain'; leave dataset.fit out",
  )
})
