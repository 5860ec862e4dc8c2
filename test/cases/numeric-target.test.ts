import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { command } from '../command.ts'
import { copyOfCase } from './cases.ts'

// Class folders 0 to 10, which sort 0, 1, 10, 2, …

it.for([
  ['2', '10'],
  ['"2"', '2'],
] as const)('are aimed at by place or by name, and named: %s', async ([target, name], context) => {
  const folder = copyOfCase('numeric-target', context)
  const out = `${folder}/out-${name}`
  const words = ['--attack', 'badnets', '--rate', '0.2', '--target', target, '--out', out, '--threads', '1']
  const result = await command('poison', `${folder}/digits`, ...words)
  expect([result.code, result.out]).toEqual([0, expect.stringMatching(new RegExp(`aimed at +class '${name}'`))])
  expect(result.error).toContain(`the attack aims at class '${name}'`)
  const { poisoned } = JSON.parse(readFileSync(`${out}-truth/truth.json`, 'utf8'))
  expect(new Set(poisoned.map(({ label }: { label: string }) => label))).toEqual(new Set([name]))
})
