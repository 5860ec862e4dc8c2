import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, type TestContext } from 'vitest'

const shared = fileURLToPath(new URL('../../../shared/cases/', import.meta.url))

/** A copy of the input that once failed, removed after the tests; the test is skipped where the inputs are not there. */
export function copyOfCase(name: string, { skip }: Pick<TestContext, 'skip'>): string {
  if (!existsSync(join(shared, name))) skip(`the inputs in ${join('..', 'shared', 'cases', name)} are not here`)
  const home = mkdtempSync(join(tmpdir(), `case-${name}-`))
  copies.push(home)
  cpSync(join(shared, name), home, { recursive: true })
  return home
}

const copies: string[] = []
afterAll(() => {
  for (const home of copies) rmSync(home, { recursive: true })
})
