import { expect, it } from 'vitest'
import { command } from '../command.ts'
import { copyOfCase } from './cases.ts'

// Black drawings on a transparent ground.

it('are told to show nothing on black, and may be laid on white', async (context) => {
  const folder = copyOfCase('black-on-transparent', context)
  const words = ['run', '--dataset', 'image-folder', '--data', `${folder}/icons`, '--dry-run', '--threads', '1']
  const black = await command(...words)
  expect(black.error).toContain('warning: 24 of 24 training images are one flat color')
  const white = await command(...words, '--dataset.ground', 'white')
  expect([white.code, white.error]).toEqual([0, expect.not.stringContaining('warning')])
})
