import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import type { AttackEntry } from '../src/attacks/attack.ts'
import { Random } from '../src/tensor/random.ts'
import { scope } from '../src/tensor/scope.ts'
import { liveTensors, tensor } from '../src/tensor/tensor.ts'

// The attack of CONTRIBUTING.md, taken out of the page, keeps the contract that the page sends it to.

const root = fileURLToPath(new URL('..', import.meta.url))
const page = readFileSync(`${root}CONTRIBUTING.md`, 'utf8')
const source = /```ts\n(.*?)```/s.exec(page)?.[1] ?? ''
const name = /export const (\w+) =/.exec(source)?.[1] ?? ''
const folder = `${root}dist/contributing` // ignored by git, and packages resolve from there
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function entry(): Promise<AttackEntry> {
  mkdirSync(folder, { recursive: true })
  const file = `${folder}/${name}.ts`
  const attacks = `${root}src/attacks/`
  writeFileSync(
    file,
    source.replaceAll(
      /from '(\.[^']+)'/g,
      (_, path) => `from '${fileURLToPath(new URL(path, pathToFileURL(attacks)))}'`,
    ),
  )
  return (await import(file))[name]
}

describe('the attack of CONTRIBUTING.md', () => {
  it('names what the contract asks for', async () => {
    const { title, paper, labels } = await entry()
    expect(title).not.toBe('')
    expect(paper).toMatch(/^https:\/\//)
    expect(['dirty', 'clean', 'none', 'base']).toContain(labels)
  })

  it('changes pixels, keeps their form, and leaves no tensor behind', async () => {
    const { craft, options } = await entry()
    const view = { random: new Random(1), label: () => 0 } as unknown as Parameters<typeof craft>[1]
    const before = liveTensors()
    const pixels = Uint8Array.from({ length: 2 * 3 * 4 * 4 }, (_, i) => i)
    const { trigger, label } = await craft(options.parse({}), view)
    scope(() => {
      const images = tensor(pixels, [2, 3, 4, 4], 'uint8')
      const triggered = trigger(images, new Int32Array(2))
      expect([triggered.shape, triggered.dtype]).toEqual([[2, 3, 4, 4], 'uint8'])
      expect(Array.from(triggered.data() as Uint8Array)).toEqual(Array.from(pixels, (value) => 255 - value))
    })
    expect(label(3)).toBe(0)
    expect(liveTensors()).toBe(before)
  })
})

it('says how to compile, and how to run one suite, by commands that there are', () => {
  expect(page).toContain('npx tsc -p .')
  for (const [, file = ''] of page.matchAll(/npx vitest run (\S+\.ts)/g))
    expect(readFileSync(`${root}${file}`, 'utf8')).toContain('describe')
})
