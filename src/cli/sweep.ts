import { type ChildProcess, spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Command } from 'commander'
import { exitCode, UserError } from '../errors.ts'
import { identify } from '../experiment/prepare/data.ts'
import type { Listener } from '../experiment/prepare/listener.ts'
import { parseFlag } from '../experiment/settings/flag.ts'
import { experimentName, readRecord, recordName } from '../experiment/store/records.ts'
import { parseSweep, type Sweep } from '../experiment/store/sweep-file.ts'
import { runSweep, type SweepResult } from '../experiment/sweep.ts'
import { packageRoot } from '../tensor/build.ts'
import { readText } from './configuration.ts'
import { withExamples } from './failure.ts'
import { withListener } from './session.ts'
import { askingInstead } from './stopping.ts'
import { table } from './tables.ts'
import { print, printJson, tell } from './terminal.ts'

interface Options {
  readonly runs: string
  readonly workers: string
  readonly threads?: string
  readonly minutes?: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

export const sweepCommand = withExamples(
  new Command('sweep')
    .argument(
      '<file>',
      "a YAML file: 'record', a folder; 'settings' of all; 'grid' (or a list 'grids'), lists to combine; 'also', single ones",
    )
    .option('--runs <folder>', "where runs' directories are made", 'runs')
    .option('--workers <number>', 'experiments side by side, each with its share of the cores', '1')
    .option('--threads <number>', 'of each experiment (default: its share of the cores)')
    .option('--minutes <number>', 'save and stop after so long')
    .option('--dry-run', 'say which experiments there are and which are recorded, and stop')
    .option('--json', 'print one JSON object on standard output')
    .addHelpText(
      'after',
      '\nAny number of sweeps of the same file may run at once, and each goes on with what was broken off. To run an experiment\nagain, remove its record and its directory among the runs.',
    ),
  'deconfound sweep experiments/cifar10-defenses.yaml --workers 2',
).action(async (file: string, options: Options) => {
  const sweep = parseSweep(readText(file, 'sweep'), file)
  if (options.dryRun) return plan(sweep, options)
  const workers = positive('workers', options.workers, true)
  const minutes = options.minutes === undefined ? Number.POSITIVE_INFINITY : positive('minutes', options.minutes)
  const share = Math.max(1, Math.floor(availableParallelism() / workers))
  const threads = options.threads === undefined ? share : positive('threads', options.threads, true)
  const { runs } = options
  const { result, code } =
    workers > 1
      ? await sideBySide(file, sweep, { runs, workers, threads, minutes })
      : await alone(sweep, { runs, minutes, ...(options.threads === undefined ? {} : { threads }) })
  if (options.json) printJson(result)
  else print(describe(result))
  process.exitCode = code
})

async function plan(sweep: Sweep, { json }: Options): Promise<void> {
  const cells = await statesOf(sweep)
  const rows = cells.map(({ cell, recorded, problem }) => [cell, problem ?? (recorded ? 'recorded' : 'to do')])
  if (json) printJson({ record: sweep.record, cells })
  else print(table(rows))
}

interface Limits {
  readonly runs: string
  readonly minutes: number
  readonly threads?: number
}

interface Ended {
  readonly result: SweepResult
  readonly code: number
}

/** In this process, one experiment after the other. */
async function alone({ record, cells }: Sweep, { runs, minutes, ...threads }: Limits): Promise<Ended> {
  const end = performance.now() + 60_000 * minutes
  const own = cells.map((cell) => ({ ...cell, ...threads }))
  const result = await withListener((listener) => {
    const until: Listener = { ...listener, interrupted: () => listener.interrupted() || performance.now() > end }
    return runSweep({ record, cells: own }, runs, until)
  })
  return { result, code: result.failed[0]?.code ?? 0 }
}

/** Processes of their own, for libtorch's threads are a process's; their lines are told with their number. */
async function sideBySide(
  file: string,
  sweep: Sweep,
  { runs, workers, threads, minutes }: Required<Limits> & { workers: number },
): Promise<Ended> {
  const until = Number.isFinite(minutes) ? ['--minutes', String(minutes)] : []
  const words = ['sweep', file, '--runs', runs, '--threads', String(threads), ...until, '--json']
  // Threads that wait busily would take the other workers' cores.
  const env = { ...process.env, OMP_NUM_THREADS: String(threads), OMP_WAIT_POLICY: 'passive' }
  const children = Array.from({ length: workers }, () =>
    spawn(process.execPath, [join(packageRoot(), 'bin', 'deconfound.js'), ...words], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // so that a terminal's signal comes once, from here
    }),
  )
  const ended = await askingInstead(
    () => {
      for (const child of children) child.kill('SIGTERM')
    },
    Promise.all(children.map((child, k) => outcome(child, k + 1))),
  )
  const open = new Set((await statesOf(sweep)).flatMap(({ cell, recorded }) => (recorded ? [] : cell)))
  const failures = new Map(ended.flatMap(({ result }) => result?.failed ?? []).map((each) => [each.cell, each]))
  const failed = [...failures.values()].filter(({ cell }) => open.has(cell)) // another worker may have got it done
  const result = { record: sweep.record, recorded: sweep.cells.length - open.size, failed }
  if (failed.length === open.size) return { result, code: failed[0]?.code ?? 0 }
  const broken = ended.find(({ code, result }) => code !== exitCode.saved && !result)
  if (broken?.code) return { result, code: broken.code } // it has said why
  const facts = `${open.size} of ${sweep.cells.length} experiments are not recorded${broken ? ', a worker was killed' : ''}`
  throw new UserError('saved', `Stopped: ${facts}; give the command again to go on`)
}

/** Waits for a worker; what it prints at its end is its result. */
async function outcome(child: ChildProcess, number: number): Promise<{ code: number | null; result?: SweepResult }> {
  let printed = ''
  child.stdout?.on('data', (text) => {
    printed += text
  })
  createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => tell(`[${number}] ${line}`))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  const told = printed.trim() === '' ? {} : JSON.parse(printed)
  return 'recorded' in told ? { code, result: told } : { code } // else it failed, and has said why
}

function describe({ record, recorded, failed }: SweepResult): string {
  const lines = failed.map(({ cell, message }) => `${cell} failed: ${message}`)
  return [...lines, `${recorded} recorded in ${record}: deconfound table ${record}`].join('\n')
}

/** Of every experiment. */
async function statesOf(sweep: Sweep) {
  return withListener((listener) => Promise.all(sweep.cells.map((cell) => stateOf(sweep, cell, listener))))
}

/** Whether an experiment is recorded, or what stands in its place. */
async function stateOf({ record }: Sweep, cell: Sweep['cells'][number], listener: Listener) {
  let name = experimentName(cell)
  try {
    const identity = await identify(cell, listener)
    name = recordName(cell, identity)
    return { cell: name, recorded: readRecord(record, cell, identity) !== undefined, problem: null }
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return { cell: name, recorded: false, problem: error.message }
  }
}

function positive(name: string, text: string, whole = false): number {
  const value = parseFlag(text)
  if (typeof value === 'number' && value > 0 && (!whole || Number.isInteger(value))) return value
  throw new UserError('usage', `Cannot use '--${name} ${text}': expected a ${whole ? 'whole ' : ''}number above 0`)
}
