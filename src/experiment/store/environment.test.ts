import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { commitOf } from './environment.ts'

const home = mkdtempSync(join(tmpdir(), 'environment-'))
afterAll(() => rmSync(home, { recursive: true }))

const git = (...words: string[]) =>
  execFileSync('git', ['-C', home, '-c', 'user.name=a', '-c', 'user.email=a@b', ...words], { stdio: 'pipe' })

describe('the commit of the program', () => {
  it('is that of its own checkout, marked where files have changed', () => {
    git('init', '-q')
    writeFileSync(join(home, 'a'), '1')
    git('add', 'a')
    git('commit', '-qm', 'a')
    expect(commitOf(home)).toMatch(/^[0-9a-f]{12}$/)
    writeFileSync(join(home, 'a'), '2')
    expect(commitOf(home)).toMatch(/^[0-9a-f]{12}\+$/)
  })

  it('is not that of a repository in which it is installed', () => {
    const installed = join(home, 'node_modules', 'deconfound')
    mkdirSync(installed, { recursive: true })
    expect(commitOf(installed)).toBeNull()
  })
})
