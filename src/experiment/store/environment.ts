import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../tensor/build.ts'
import { type Compute, describeMachine, planCompute, useThreads } from '../../tensor/device.ts'
import type { Config } from '../settings/config.ts'

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
  return { ...compute, ...machine, deconfound: packageVersion(), commit: commit() }
}

export function packageVersion(): string {
  return JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')).version
}

/** The checkout's commit, with `+` where it has changes; null outside a checkout. */
function commit(): string | null {
  try {
    const git = (...parameters: string[]) =>
      execFileSync('git', ['-C', packageRoot(), ...parameters], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim()
    return git('rev-parse', '--short=12', 'HEAD') + (git('status', '--porcelain', '--untracked-files=no') ? '+' : '')
  } catch {
    return null
  }
}
