import { expect, it } from 'vitest'
import { stringify } from 'yaml'
import { flattenConfig, parseConfigFile, resolveConfig } from '../settings/config.ts'
import { parseFlag } from '../settings/flag.ts'
import { describeTarget, targetOf } from './target.ts'

const classes = ['0', '1', '10', '2', 'caf\u00e9']
const aim = (flag: string) => resolveConfig({ attack: 'badnets', target: parseFlag(flag) })

it.each([
  ['2', '10'],
  ['"2"', '2'],
  ['cafe\u0301', 'caf\u00e9'],
  ['0', '0'],
])('a target is a place or a name: %s is %s, also out of a file', (flag, name) => {
  const config = aim(flag)
  expect(classes[targetOf(config, classes)]).toBe(name)
  expect(describeTarget(config, classes)).toContain(`aims at class '${name}'`)
  expect(resolveConfig(parseConfigFile(stringify(flattenConfig(config)), 'x'))).toEqual(config)
})

it('a place that is another class’s name is told, with how to give that class', () => {
  expect(describeTarget(aim('2'), classes)).toContain(`for class '2' give --target '"2"'`)
  expect(describeTarget(aim('0'), classes)).not.toContain('give')
})

it.each([
  ['5', 'Cannot aim at class 5: there are 5 classes, counted from 0 (0, 1, 10, 2, caf\u00e9)'],
  ['cat', "Cannot aim at class 'cat': there is none of this name (0, 1, 10, 2, caf\u00e9)"],
])('a target that is no class is refused with what there is: %s', (flag, message) => {
  expect(() => targetOf(aim(flag), classes)).toThrow(message)
})

it.each(['-1', '1.5', 'true'])('a target that is neither a place nor a name is refused: %s', (flag) => {
  expect(() => aim(flag)).toThrow("Cannot use the configuration: 'target': ")
})
