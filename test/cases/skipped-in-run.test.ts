import { writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { command } from '../command.ts'
import { copyOfCase } from './cases.ts'

// Image files that are cut short, and a test class that is not trained on.

it('are told by every command that loads images', async (context) => {
  const folder = copyOfCase('skipped-in-run', context)
  const data = ['--dataset', 'image-folder', '--data', `${folder}/data`, '--threads', '1']
  const attack = ['--attack', 'badnets', '--rate', '0.2']
  const runs = ['--runs', `${folder}/runs`, '--epochs', '1', '--model.depth', '10']
  const { out, error: told } = await command('run', ...data, ...attack, ...runs, '--json')
  const { run } = JSON.parse(out)
  const sweep = `settings: {dataset: image-folder, data: ${folder}/data}\nalso: [{attack: none}]\n`
  writeFileSync(`${folder}/sweep.yaml`, `record: ${folder}/records\n${sweep}`)
  const commands = [
    ['run', ...data, ...attack, '--dry-run'],
    ['evaluate', run, ...data, '--attack', 'badnets'],
    ['detect', run, '--detector', 'spectral-signatures'],
    ['preview', `${folder}/data`, '--attack', 'badnets', '--out', `${folder}/x.png`],
    ['poison', `${folder}/data`, ...attack, '--out', `${folder}/out`],
    ['train', `${folder}/data`, '--dry-run', '--threads', '1'],
    ['sweep', `${folder}/sweep.yaml`, '--dry-run'],
  ]
  for (const words of commands) {
    const { code, error } = await command(...words)
    expect([words[0], code]).toEqual([words[0], 0])
    expectSkipped(error)
  }
  expectSkipped(told)
})

function expectSkipped(error: string): void {
  expect(error).toMatch(/skipped 18 \(train\/cat\/\S+, .*, …\): not a usable png: it is damaged or cut short/)
  expect(error).toContain('skipped test/wolf: no class of this name is trained on (1 image)')
}
