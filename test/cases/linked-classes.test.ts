import { readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { command } from '../command.ts'
import { copyOfCase } from './cases.ts'

// Class folders, or files, that are links out of the folder. A copy may hold a link as a file of its target's path.

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

it.for([
  ['by-folder', '3 links'],
  ['by-file', '12 links'],
] as const)('are counted in the refusal: %s', async ([kind, links], context) => {
  const folder = copyOfCase('linked-classes', context)
  restoreLinks(join(folder, kind))
  const { code, error } = await command('train', join(folder, kind), '--dry-run', '--threads', '1')
  expect(code).toBe(3)
  expect(error).toContain(`${links} out of the folder are not followed`)
})
