import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { attacks } from '../src/attacks/index.ts'
import { commands } from '../src/cli/commands.ts'
import { datasets } from '../src/datasets/index.ts'
import { defenses } from '../src/defenses/index.ts'
import { detectors } from '../src/detectors/index.ts'
import { models } from '../src/models/index.ts'
import { command } from './command.ts'

// What `deconfound completion` prints, as the shells themselves run it.

const home = mkdtempSync(join(tmpdir(), 'completion-'))
afterAll(() => rmSync(home, { recursive: true }))

const shells = ['bash', 'zsh', 'fish'] as const
const script = (shell: string) => join(home, shell)
const has = (shell: string) => spawnSync(shell, ['--version']).status === 0
const given = (shell: string, program: string, ...words: string[]) =>
  execFileSync(shell, ['-c', program, ...words], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line !== '')

beforeAll(async () => {
  for (const shell of shells) {
    const { code, out } = await command('completion', shell)
    expect(code).toBe(0)
    writeFileSync(script(shell), out)
  }
})

/** What each shell offers for the last word, which may be begun. */
const offered: Record<(typeof shells)[number], (...words: string[]) => string[]> = {
  bash: (...words) =>
    given(
      'bash',
      `source "$0"; COMP_WORDS=(deconfound "$@"); COMP_CWORD=$#; _deconfound; printf "%s\\n" "\${COMPREPLY[@]}"`,
      script('bash'),
      ...words,
    ),
  zsh: (...words) => {
    const begun = words.at(-1) as string
    // The completion system's own commands, which need a terminal, print what they are given here.
    const stubs = `compdef() {}; _files() {}; compadd() { shift; print -l -- "$@" }
      _describe() { local each; for each in "\${found[@]}"; do print -r -- "\${each%%:*}"; done }`
    const program = `${stubs}; source "$0"; words=(deconfound "$@"); CURRENT=$#words; _deconfound`
    return given('zsh', program, script('zsh'), ...words).filter((word) => word.startsWith(begun))
  },
  fish: (...words) => {
    const line = ['deconfound', ...words].join(' ')
    const program = `source ${script('fish')}; complete -C '${line}'`
    return given('fish', program).map((each) => each.split('\t')[0] as string)
  },
}

describe.each(shells)('in %s', (shell) => {
  const here = it.skipIf(!has(shell))
  const complete = offered[shell]

  here('the script is sound (skipped where the shell is not there)', () => {
    expect(spawnSync(shell, ['-n', script(shell)], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' })
  })

  here('commands are completed', () => {
    expect(complete('').sort()).toEqual(commands.map(({ name }) => name).sort())
    expect(complete('pre').sort()).toEqual(['predict', 'preview'])
  })

  here('names of catalogues are', () => {
    expect(complete('run', '--attack', '').sort()).toEqual(Object.keys(attacks).sort())
    expect(complete('train', '--defense', 'd').sort()).toEqual(
      Object.keys(defenses)
        .filter((name) => name[0] === 'd')
        .sort(),
    )
    expect(complete('run', '--dataset', '').sort()).toEqual(Object.keys(datasets).sort())
    expect(complete('detect', 'run', '--detector', '').sort()).toEqual(Object.keys(detectors).sort())
    expect(complete('run', '--epochs', '3', '--model', '').sort()).toEqual(Object.keys(models).sort())
  })

  here('options are, those of entries too', () => {
    expect(complete('export', 'x', '--sa')).toEqual(['--safetensors'])
    expect(complete('run', '--attack.opac')).toEqual(['--attack.opacity'])
    expect(complete('run', '--flip', 'f')).toEqual(['false'])
  })

  here('arguments of a few words are', () => {
    expect(complete('list', 'de').sort()).toEqual(['defenses', 'detectors'])
    expect(complete('completion', '').sort()).toEqual([...shells].sort())
  })
})

it('another shell is refused', async () => {
  const { code, error } = await command('completion', 'bush')
  expect([code, error]).toEqual([2, expect.stringContaining("did you mean 'bash'")])
})
