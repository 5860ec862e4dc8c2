import cliProgress from 'cli-progress'
import type { Listener } from '../experiment/prepare/listener.ts'
import type { EpochMetrics, Progress } from '../training/stage.ts'
import { begun } from './stopping.ts'
import { onOneLine, tell } from './terminal.ts'
import { duration } from './units.ts'

const secondsBetweenLines = 15

/** Stages of training in order: their names, and what they do in plain words. */
export type Stages = Readonly<Record<string, string>>

/** Shows a run on standard error: a bar on a terminal, plain lines elsewhere. */
export function progressListener(interrupted: () => boolean, stages: Stages = {}): Listener & { stop(): void } {
  return process.stderr.isTTY ? onTerminal(interrupted, stages) : inLines(interrupted, stages)
}

/** What is shown: what is done, how long that takes yet, and what may be left out where there is little room. */
interface Shown {
  readonly task: string
  readonly left: string
  readonly details: readonly string[]
}

function onTerminal(interrupted: () => boolean, stages: Stages) {
  const bar = new cliProgress.SingleBar({
    format: (_, { progress }, shown: Shown) => fitted(shown, progress, process.stderr.columns ?? 80),
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
    fps: 4,
  })
  let task = ''
  let last = 0
  const clear = () => {
    bar.stop()
    task = ''
  }
  const show = (shown: Shown, done: number, total: number) => {
    if (task === shown.task) return bar.update(done, shown)
    bar.stop()
    bar.start(total, done, shown)
    task = shown.task
  }
  const line = (text: string) => {
    clear()
    tell(onOneLine(text))
  }
  const counting = (name: string) => {
    const left = timeLeft()
    return (done: number, total: number) => {
      const shown = { task: name, left: left(done, total) ?? 'begun', details: [`${done} of ${total}`] }
      show(shown, done, total)
      if (done === total) clear()
    }
  }
  return {
    ...counts(counting),
    say: line,
    progress(p: Progress) {
      begun()
      // Reading the values waits for the device: no more often than a person can see.
      const { name: stage, left } = told(p, stages)
      const name = `${stage} ${p.epoch + 1}/${p.epochs}`
      if (task === name && p.batch < p.batches && performance.now() - last < 250) return
      last = performance.now()
      show({ task: name, left, details: details(p) }, p.batch, p.batches)
    },
    epoch: (metrics: EpochMetrics) => line(epochLine(metrics, stages)),
    interrupted,
    stop: () => bar.stop(),
  }
}

/** One line of at most so many columns. The time left is never cut off; details, the bar and the task's name are. */
export function fitted({ task, left, details }: Shown, share: number, columns: number): string {
  const room = columns - 1 // a full line would wrap on some terminals
  const head = `${Math.round(100 * share)}`.padStart(3)
  const end = `${head} %, ${left}`
  const name = task.length > room - end.length - 1 ? `${task.slice(0, Math.max(0, room - end.length - 2))}…` : task
  let line = end
  for (const detail of details) {
    if (name.length + line.length + detail.length + 3 > room) break
    line += `, ${detail}`
  }
  const width = Math.min(30, room - name.length - line.length - 4)
  if (width < 6) return `${name} ${line}`
  const full = Math.round(share * width)
  return `${name} [${'='.repeat(full)}${'-'.repeat(width - full)}] ${line}`
}

function inLines(interrupted: () => boolean, stages: Stages): Listener & { stop(): void } {
  let last = performance.now()
  const due = () => performance.now() - last >= secondsBetweenLines * 1000
  const line = (text: string) => {
    tell(onOneLine(text))
    last = performance.now()
  }
  const counting = (name: string) => {
    const left = timeLeft()
    return (done: number, total: number) => {
      const facts = [`${done} of ${total}`, left(done, total)].filter((each) => each !== undefined)
      if (due()) line(`${name}: ${facts.join(', ')}`)
    }
  }
  return {
    ...counts(counting),
    say: line,
    progress(p: Progress) {
      begun()
      if (!due()) return
      const { name, left } = told(p, stages)
      const facts = [left, ...details(p)].join(', ')
      line(`${name}: epoch ${p.epoch + 1} of ${p.epochs}, batch ${p.batch} of ${p.batches}, ${facts}`)
    },
    epoch: (metrics: EpochMetrics) => line(epochLine(metrics, stages)),
    interrupted,
    stop: () => {},
  }
}

/** The time that a count takes yet, at the pace since its first number; undefined at the first, and where a new count begins. */
export function timeLeft(now = () => performance.now()): (done: number, total: number) => string | undefined {
  let first = { done: Infinity, at: 0 }
  return (done, total) => {
    if (done <= first.done) first = { done, at: now() }
    const seconds = (((now() - first.at) / 1000) * (total - done)) / (done - first.done)
    const counted = done > first.done
    if (done >= total) first = { done: Infinity, at: 0 }
    return counted ? `${duration(seconds)} left` : undefined
  }
}

/** The listener's functions that count. */
function counts(counting: (name: string) => (done: number, total: number) => void) {
  const writing = counting('writing images')
  const fetching = counting('downloading, MB')
  const megabytes = (bytes: number) => Math.round(bytes / 1e5) / 10
  return {
    reading: counting('reading images'),
    scoring: counting('scoring images'),
    fetching: (done: number, total: number) => fetching(megabytes(done), megabytes(total)),
    writing(done: number, total: number) {
      begun()
      writing(done, total)
    },
  }
}

/** `stage 2 of 5: training the model`, and the time left: of the whole in the last stage, else of this one. */
export function told(
  { stage, secondsLeft }: Pick<Progress, 'stage' | 'secondsLeft'>,
  stages: Stages,
): { name: string; left: string } {
  const left = `${duration(secondsLeft)} left`
  const words = wordsFor(stage, stages)
  if (words === undefined) return { name: stage, left: `${left} here` }
  const all = [...new Set(Object.values(stages))]
  const place = all.indexOf(words) + 1
  const number = all.length > 1 ? `stage ${place} of ${all.length}: ` : ''
  return { name: number + words, left: place < all.length ? `${left} here` : left }
}

/** What a stage does; undefined where nothing declares it, as in what an attack learns. */
function wordsFor(stage: string, stages: Stages): string | undefined {
  const known = Object.keys(stages).filter((name) => stage === name || stage.startsWith(`${name}-`))
  return stages[known.sort((a, b) => b.length - a.length)[0] ?? '']
}

function details({ imagesPerSecond, values }: Progress): string[] {
  return [...numbers(values()), `${Math.round(imagesPerSecond)} images/s`]
}

function epochLine({ stage, epoch, seconds, ...values }: EpochMetrics, stages: Stages): string {
  return [`${wordsFor(stage, stages) ?? stage}: epoch ${epoch + 1} in ${duration(seconds)}`, ...numbers(values)].join(
    ', ',
  )
}

function numbers(values: Readonly<Record<string, number | string>>): string[] {
  return Object.entries(values).map(
    ([name, value]) => `${name} ${typeof value === 'number' ? value.toFixed(3) : value}`,
  )
}
