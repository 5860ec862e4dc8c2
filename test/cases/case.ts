import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { vi } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { liveTensors } from '../../src/tensor/tensor.ts'

// The inputs of reported cases, which are shared outside the repository.

const shared = fileURLToPath(new URL('../../../shared/cases', import.meta.url))

/** Whether the input of a case is not here, for `skipIf`. */
export const isMissing = (name: string) => !existsSync(join(shared, name))

/** A copy of a case's input in a folder of its own, with a cache of its own. */
export function copyCase(name: string): { folder: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), `${name}-`))
  liveTensors() // loads the addon, which lies in the cache that the next line hides
  vi.stubEnv('XDG_CACHE_HOME', join(folder, '.cache'))
  if (!isMissing(name)) cpSync(join(shared, name), folder, { recursive: true, verbatimSymlinks: true })
  return { folder, remove: () => rmSync(folder, { recursive: true }) }
}

/** Exit code and what was printed, of a command as a shell would give it. */
export async function command(...words: string[]): Promise<{ code: number; out: string; error: string }> {
  const printed = { out: '', error: '' }
  const collect = (name: 'out' | 'error') => (text: string | Uint8Array) => {
    printed[name] += text
    return true
  }
  const out = vi.spyOn(process.stdout, 'write').mockImplementation(collect('out'))
  const error = vi.spyOn(process.stderr, 'write').mockImplementation(collect('error'))
  try {
    await main(words)
    return { code: Number(process.exitCode ?? 0), ...printed }
  } finally {
    process.exitCode = undefined
    out.mockRestore()
    error.mockRestore()
  }
}
