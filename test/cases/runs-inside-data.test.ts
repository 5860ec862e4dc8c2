import { expect, it } from 'vitest'
import { command } from '../command.ts'
import { copyOfCase } from './cases.ts'

// The program's own runs among the class folders.

it('are no class', async (context) => {
  const folder = copyOfCase('runs-inside-data', context)
  const photos = `${folder}/photos`
  const quick = ['--epochs', '1', '--defense', 'none', '--model.depth', '10', '--threads', '1', '--json']
  for (let run = 0; run < 2; run++) {
    const { out, error } = await command('train', photos, '--runs', `${photos}/runs`, ...quick)
    expect(error).toContain('skipped runs: it holds runs of this program')
    expect(JSON.parse(out).classes).toEqual(['cat', 'dog', 'fox'])
  }
})
