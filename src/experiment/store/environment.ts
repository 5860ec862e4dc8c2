import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../../errors.ts'
import { packageRoot } from '../../tensor/build.ts'
import { type Compute, describeMachine, planCompute, useThreads } from '../../tensor/device.ts'
import type { ImageSet } from '../../training/images.ts'
import type { Config } from '../settings/config.ts'
import type { RunFolder } from './run-folder.ts'

/** Settles device, precision and threads, and sets the threads. */
export function settleCompute({
  device,
  precision,
  threads,
}: Pick<Config, 'device' | 'precision' | 'threads'>): Compute {
  const compute = planCompute({ device, precision, threads })
  useThreads(compute.threads)
  return compute
}

/** What a result depends on besides its configuration. */
export function describeEnvironment(compute: Compute) {
  const { libtorchBuild: _, ...machine } = describeMachine()
  return { ...compute, ...machine, deconfound: packageVersion(), commit: commitOf(packageRoot()) }
}

export function packageVersion(): string {
  return JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')).version
}

/**
 * The commit of the program, with `+` where its checkout has changes; null outside a checkout of its own: the repository that
 * it is installed in says nothing of it.
 */
export function commitOf(root: string): string | null {
  try {
    const git = (...parameters: string[]) =>
      execFileSync('git', ['-C', root, ...parameters], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim()
    if (realpathSync(git('rev-parse', '--show-toplevel')) !== realpathSync(root)) return null
    return git('rev-parse', '--short=12', 'HEAD') + (git('status', '--porcelain', '--untracked-files=no') ? '+' : '')
  } catch {
    return null
  }
}

/** Device, precision and threads: settled once, and for a resumed run those it began with. */
export function settleRun(folder: RunFolder): Compute {
  const began = folder.readJson('environment.json') as Compute | undefined
  return settleCompute(began ?? folder.config)
}

/**
 * Writes the run's circumstances. Where it began before, the data must be the same; another libtorch or processor, which
 * may give other roundings, or another commit is recorded beside the first.
 */
export function rememberEnvironment(
  folder: RunFolder,
  train: ImageSet,
  test: ImageSet | null,
  compute: Compute,
  say: (line: string) => void,
) {
  const now = { ...describeEnvironment(compute), trainHash: train.hash, testHash: test?.hash ?? null }
  const before = folder.readJson('environment.json') as typeof now | undefined
  say(`${before ? 'going on' : 'running'} in ${folder.path}`)
  if (!before) {
    folder.writeJson('environment.json', now)
    return now
  }
  if (before.trainHash !== now.trainHash || before.testHash !== now.testHash) {
    throw new UserError('data', `Cannot resume '${folder.path}': its data has changed since it began; start a new run`)
  }
  const circumstances = ['engine', 'libtorch', 'processor', 'kernels', 'blas', 'deconfound', 'commit'] as const
  const changed = circumstances.filter((name) => before[name] !== now[name])
  if (changed.length > 0) say(`resumed with another ${changed.join(', ')}: the result may differ`)
  if (existsSync(folder.file('checkpoints'))) folder.writeJson('resumed.json', now) // else nothing was trained yet
  return {
    ...before,
    ...(changed.length > 0 && { resumedWith: Object.fromEntries(changed.map((name) => [name, now[name]])) }),
  }
}

/** The hash of the images that a run was given to train on; undefined where it says none. */
export function trainHashOf(run: string): string | undefined {
  const file = join(run, 'environment.json')
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { trainHash?: string }).trainHash : undefined
}
