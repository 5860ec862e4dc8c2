import { readFileSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import { main } from '../cli/main.ts'
import { native } from './native.ts'
import { zeros } from './tensor.ts'

/** Size in bytes of the heap that malloc grows; undefined where the system does not say. */
function heapSize(): number | undefined {
  const line = readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('[heap]'))
  const ends = line.map((each) =>
    /^([0-9a-f]+)-([0-9a-f]+)/
      .exec(each)
      ?.slice(1)
      .map((end) => Number.parseInt(end, 16)),
  )
  return ends.length === 0 ? undefined : ends.reduce((sum, [from = 0, to = 0] = []) => sum + to - from, 0)
}

/** By how much tensors of 64 MB, one after the other, make the heap grow, for good. Reading the size takes memory, too: once before, once after. */
function heapGrowth(tensors = 1): number {
  const before = heapSize() ?? 0
  for (let i = 0; i < tensors; i++) zeros([2 ** 24]).free()
  return (heapSize() ?? 0) - before
}

// Skipped where malloc is not glibc's, or the system does not say how large the heap is.
const { glibcVersionRuntime } = (process.report.getReport() as { header: { glibcVersionRuntime?: string } }).header
describe.skipIf(!glibcVersionRuntime || heapSize() === undefined)('memory that is freed', () => {
  it('is left to the settings of the program that uses the package, and kept by the command line', async () => {
    native()
    expect(heapGrowth()).toBeLessThan(2 ** 24)
    const out = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    await main(['--version'])
    out.mockRestore()
    process.exitCode = undefined
    expect(heapGrowth()).toBeGreaterThan(2 ** 25)
    // At first something small may come to lie above what was freed; after a while all of it is taken again.
    heapGrowth(40)
    expect(heapGrowth(40)).toBeLessThan(3 * 2 ** 26)
  })
})
