import { type ChildProcess, spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Command } from 'commander'
import { UserError } from '../errors.ts'
import { parseFlag } from '../experiment/config.ts'
import type { Listener } from '../experiment/listener.ts'
import { readRecord, recordName } from '../experiment/results.ts'
import { parseSweep, runSweep, type Sweep, type SweepResult } from '../experiment/sweep.ts'
import { packageRoot } from '../tensor/build.ts'
import { readText } from './configuration.ts'
import { listenForSignals, withListener } from './session.ts'
import { table } from './tables.ts'

interface Options {
  readonly runs: string
  readonly workers: string
  readonly threads?: string
  readonly minutes?: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

export const sweepCommand = new Command('sweep')
  .argument(
    '<file>',
    "a YAML file: 'record', a folder; 'settings' of all; 'grid', lists to combine; 'also', single ones",
  )
  .description('Many experiments, recorded one by one; what is recorded already is not run again')
  .option('--runs <folder>', "where runs' directories are made", 'runs')
  .option('--workers <number>', 'experiments side by side, each with its share of the cores', '1')
  .option('--threads <number>', 'of each experiment (default: its share of the cores)')
  .option('--minutes <number>', 'save and stop after so long')
  .option('--dry-run', 'say which experiments there are and which are recorded, and stop')
  .option('--json', 'print one JSON object on standard output')
  .addHelpText(
    'after',
    '\nAny number of sweeps of the same file may run at once, and each goes on with what was broken off.\n\nExample:\n  deconfound sweep experiments/cifar10-defenses.yaml --workers 2',
  )
  .action(async (file: string, options: Options) => {
    const sweep = parseSweep(readText(file, 'sweep'), file)
    if (options.dryRun) return plan(sweep, options)
    const workers = positive('workers', options.workers, true)
    const result =
      workers > 1 ? await sideBySide(file, sweep, { ...options, count: workers }) : await alone(sweep, options)
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${describe(result)}\n`)
    process.exitCode = result.failed[0]?.code ?? 0
  })

function plan(sweep: Sweep, { json }: Options): void {
  const cells = sweep.cells.map((cell) => ({ cell: recordName(cell), recorded: isRecorded(sweep, cell) }))
  const rows = cells.map(({ cell, recorded }) => [cell, recorded ? 'recorded' : 'to do'])
  process.stdout.write(json ? `${JSON.stringify({ record: sweep.record, cells })}\n` : `${table(rows)}\n`)
}

/** In this process, one experiment after the other. */
function alone({ record, cells }: Sweep, { runs, threads, minutes }: Options): Promise<SweepResult> {
  listenForSignals()
  const end =
    minutes === undefined ? Number.POSITIVE_INFINITY : performance.now() + 60_000 * positive('minutes', minutes)
  const share = threads === undefined ? {} : { threads: positive('threads', threads, true) }
  const own = cells.map((cell) => ({ ...cell, ...share }))
  return withListener((listener) => {
    const until: Listener = { ...listener, interrupted: () => listener.interrupted() || performance.now() > end }
    return runSweep({ record, cells: own }, runs, until)
  })
}

/** Processes of their own, for libtorch's threads are a process's; their lines are told with their number. */
async function sideBySide(
  file: string,
  sweep: Sweep,
  { runs, count, threads, minutes }: Options & { count: number },
): Promise<SweepResult> {
  const share = threads ?? String(Math.max(1, Math.floor(availableParallelism() / count)))
  const words = [
    'sweep',
    file,
    '--runs',
    runs,
    '--threads',
    share,
    ...(minutes ? ['--minutes', minutes] : []),
    '--json',
  ]
  // Threads that wait busily would take the other workers' cores.
  const env = { ...process.env, OMP_NUM_THREADS: share, OMP_WAIT_POLICY: 'passive' }
  const children = Array.from({ length: count }, () =>
    spawn(process.execPath, [join(packageRoot(), 'bin', 'deconfound.js'), ...words], {
      ...{ env, stdio: ['ignore', 'pipe', 'pipe'] },
    }),
  )
  const forward = (signal: NodeJS.Signals) => {
    for (const child of children) child.kill(signal)
  }
  process.on('SIGTERM', forward)
  process.on('SIGINT', () => {}) // a terminal's goes to the workers as well
  const ended = await Promise.all(children.map((child, k) => outcome(child, k + 1)))
  const failed = ended.flatMap(({ result }) => result?.failed ?? [])
  const open = sweep.cells.filter((cell) => !isRecorded(sweep, cell))
  const unknown = open.filter((cell) => failed.every((each) => each.cell !== recordName(cell)))
  if (unknown.length > 0) {
    const facts = `${unknown.length} of ${sweep.cells.length} experiments are not recorded`
    const killed = ended.some(({ code }) => code === null) ? ', a worker was killed' : ''
    throw new UserError('saved', `Stopped: ${facts}${killed}; give the command again to go on`)
  }
  return { record: sweep.record, recorded: sweep.cells.length - open.length, failed }
}

/** Waits for a worker; what it prints at its end is its result. */
async function outcome(child: ChildProcess, number: number): Promise<{ code: number | null; result?: SweepResult }> {
  let printed = ''
  child.stdout?.on('data', (text) => {
    printed += text
  })
  createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) =>
    process.stderr.write(`[${number}] ${line}\n`),
  )
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return printed.trim() === '' ? { code } : { code, result: JSON.parse(printed) }
}

function describe({ record, recorded, failed }: SweepResult): string {
  const lines = failed.map(({ cell, message }) => `${cell} failed: ${message}`)
  return [...lines, `${recorded} recorded in ${record}: deconfound table ${record}`].join('\n')
}

const isRecorded = ({ record }: Sweep, cell: Sweep['cells'][number]) => readRecord(record, cell) !== undefined

function positive(name: string, text: string, whole = false): number {
  const value = parseFlag(text)
  if (typeof value === 'number' && value > 0 && (!whole || Number.isInteger(value))) return value
  throw new UserError('usage', `Cannot use '--${name} ${text}': expected a ${whole ? 'whole ' : ''}number above 0`)
}
