import { readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { command, copyCase, isMissing } from './case.ts'

// Class folders, or files, that are links out of the folder. A copy may hold a link as a file of its target's path.

const { folder, remove } = copyCase('linked-classes')
afterAll(remove)

function restoreLinks(path: string): void {
  for (const name of readdirSync(path)) {
    const at = join(path, name)
    if (statSync(at).isDirectory()) restoreLinks(at)
    else {
      const target = readFileSync(at, 'utf8')
      rmSync(at)
      symlinkSync(target, at)
    }
  }
}

it.skipIf(isMissing('linked-classes')).each([
  ['by-folder', '3 links'],
  ['by-file', '12 links'],
])('are counted in the refusal (skipped where the case is not here): %s', async (kind, links) => {
  restoreLinks(join(folder, kind))
  const { code, error } = await command('train', join(folder, kind), '--dry-run', '--threads', '1')
  expect(code).toBe(3)
  expect(error).toContain(`${links} out of the folder are not followed`)
})
