import { vi } from 'vitest'
import { main } from '../src/cli/main.ts'

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
