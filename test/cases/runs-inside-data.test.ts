import { afterAll, expect, it } from 'vitest'
import { command, copyCase, isMissing } from './case.ts'

// The program's own runs among the class folders.

const { folder, remove } = copyCase('runs-inside-data')
afterAll(remove)

it.skipIf(isMissing('runs-inside-data'))('are no class (skipped where the case is not here)', async () => {
  const photos = `${folder}/photos`
  const quick = ['--epochs', '1', '--defense', 'none', '--model.depth', '10', '--threads', '1', '--json']
  for (let run = 0; run < 2; run++) {
    const { out, error } = await command('train', photos, '--runs', `${photos}/runs`, ...quick)
    expect(error).toContain('skipped runs: it holds runs of this program')
    expect(JSON.parse(out).classes).toEqual(['cat', 'dog', 'fox'])
  }
})
