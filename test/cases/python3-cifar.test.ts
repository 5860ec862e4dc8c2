import { expect, it } from 'vitest'
import { command } from '../command.ts'
import { copyOfCase } from './cases.ts'

// Batches that Python 3 wrote, in the folder below the one that is named.

it('are read, and found in the folder below by every command', async (context) => {
  const folder = copyOfCase('python3-cifar', context)
  const common = ['--dry-run', '--threads', '1', '--json']
  const run = await command('run', '--dataset', 'cifar10', '--data', `${folder}/cifar-10-batches-py`, ...common)
  expect(JSON.parse(run.out)).toMatchObject({ trainingImages: 10, testImages: 2 })
  const train = await command('train', folder, ...common)
  expect(JSON.parse(train.out)).toMatchObject({ trainingImages: 10, shape: [3, 32, 32] })
  expect(train.error).toContain(`the images are taken from "${folder}/cifar-10-batches-py"`)
  const poison = await command('poison', folder, '--attack', 'badnets', '--print-config')
  expect(poison.out).toContain('dataset: cifar10')
})
