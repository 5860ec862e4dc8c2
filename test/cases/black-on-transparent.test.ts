import { afterAll, expect, it } from 'vitest'
import { command, copyCase, isMissing } from './case.ts'

// Black drawings on a transparent ground.

const { folder, remove } = copyCase('black-on-transparent')
afterAll(remove)

it.skipIf(isMissing('black-on-transparent'))(
  'are told to show nothing on black, and may be laid on white (skipped where the case is not here)',
  async () => {
    const words = ['run', '--dataset', 'image-folder', '--data', `${folder}/icons`, '--dry-run', '--threads', '1']
    const black = await command(...words)
    expect(black.error).toContain('warning: 24 of 24 training images are one flat color')
    const white = await command(...words, '--dataset.ground', 'white')
    expect([white.code, white.error]).toEqual([0, expect.not.stringContaining('warning')])
  },
)
