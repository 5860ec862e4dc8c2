import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { native } from './native.ts'
import { scope } from './scope.ts'
import { operator, tensor } from './tensor.ts'

const folder = new URL('../', import.meta.url)

it('finds every operator that the sources name in this libtorch', () => {
  const files = readTypeScript()
  const names = files.flatMap((text) =>
    [...text.matchAll(/operator(?:<[^>]+>)?\('([^']+)'\)/g)].map((match) => match[1] as string),
  )
  expect(names.length).toBeGreaterThan(70)
  const missing = names.filter((name) => {
    try {
      native().find(name)
      return false
    } catch {
      return true
    }
  })
  expect(missing).toEqual([])
})

it('returns numbers as numbers, which no scope takes for tensors', () => {
  scope(() => expect(operator<number>('size.int')(tensor([1, 2, 3], [3]), 0)).toBe(3))
})

it('takes an optional argument that is left out as none', () => {
  scope(() => expect(operator('mean.dim')(tensor([1, 2, 6], [3])).item()).toBe(3))
})

function readTypeScript(): string[] {
  return ['tensor', 'nn', 'training', 'defenses'].flatMap((room) => {
    const place = new URL(`${room}/`, folder)
    const all = readdirSync(place, { recursive: true, encoding: 'utf8' })
    const names = all.filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    return names.map((name) => readFileSync(new URL(name, place), 'utf8'))
  })
}
