import { expect, it } from 'vitest'
import { command } from '../command.ts'
import { copyOfCase } from './cases.ts'

// Splits named `Training` and `Testing`.

it('are trained on and measured on, and not told from one another', async (context) => {
  const folder = copyOfCase('capital-train-test', context)
  const { code, out, error } = await command('train', `${folder}/brain`, '--dry-run', '--threads', '1', '--json')
  expect(code).toBe(0)
  expect(JSON.parse(out)).toMatchObject({ classes: { cat: 6, dog: 6, fox: 6 }, trainingImages: 18 })
  expect(error).toContain('3 classes: cat 6, dog 6, fox 6\n')
  expect(error).toContain('the test images are taken from "Testing"')
})
