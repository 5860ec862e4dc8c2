import cliProgress from 'cli-progress'
import type { Listener } from '../experiment/prepare/listener.ts'
import type { EpochMetrics, Progress } from '../training/stage.ts'

const secondsBetweenLines = 15

/** Shows a run on standard error: a bar on a terminal, plain lines elsewhere. */
export function progressListener(interrupted: () => boolean): Listener & { stop(): void } {
  return process.stderr.isTTY ? onTerminal(interrupted) : inLines(interrupted)
}

function onTerminal(interrupted: () => boolean) {
  const bar = new cliProgress.SingleBar({
    format: '{task} [{bar}] {percentage}% {detail}',
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
    fps: 4,
  })
  let task = ''
  let shown = 0
  const show = (name: string, done: number, total: number, detail: string) => {
    if (task !== name) {
      bar.stop()
      bar.start(total, done, { task: name, detail })
      task = name
    } else bar.update(done, { detail })
  }
  const line = (text: string) => {
    bar.stop()
    task = ''
    process.stderr.write(`${text}\n`)
  }
  const counting = (name: string) => (done: number, total: number) => {
    show(name, done, total, `${done} of ${total}`)
    if (done === total) {
      bar.stop()
      task = ''
    }
  }
  return {
    say: line,
    reading: counting('reading images'),
    writing: counting('writing images'),
    scoring: counting('scoring images'),
    progress(p: Progress) {
      // Reading the values waits for the device: no more often than a person can see.
      const name = `${p.stage} ${p.epoch + 1}/${p.epochs}`
      if (task === name && p.batch < p.batches && performance.now() - shown < 250) return
      shown = performance.now()
      show(name, p.batch, p.batches, details(p))
    },
    epoch: (metrics: EpochMetrics) => line(epochLine(metrics)),
    interrupted,
    stop: () => bar.stop(),
  }
}

function inLines(interrupted: () => boolean) {
  let last = performance.now()
  const due = () => {
    if (performance.now() - last < secondsBetweenLines * 1000) return false
    last = performance.now()
    return true
  }
  const line = (text: string) => {
    process.stderr.write(`${text}\n`)
    last = performance.now()
  }
  const counting = (name: string) => (done: number, total: number) => due() && line(`${name}: ${done} of ${total}`)
  return {
    say: line,
    reading: counting('reading images'),
    writing: counting('writing images'),
    scoring: counting('scoring images'),
    progress: (p: Progress) =>
      due() && line(`${p.stage} epoch ${p.epoch + 1}/${p.epochs}, batch ${p.batch}/${p.batches}: ${details(p)}`),
    epoch: (metrics: EpochMetrics) => line(epochLine(metrics)),
    interrupted,
    stop: () => {},
  } as Listener & { stop(): void }
}

function details({ imagesPerSecond, secondsLeft, values }: Progress): string {
  return [`${Math.round(imagesPerSecond)} images/s`, `${duration(secondsLeft)} left`, ...numbers(values())].join(', ')
}

function epochLine({ stage, epoch, seconds, ...values }: EpochMetrics): string {
  return [`${stage} epoch ${epoch + 1} in ${duration(seconds)}`, ...numbers(values)].join(', ')
}

function numbers(values: Readonly<Record<string, number | string>>): string[] {
  return Object.entries(values).map(
    ([name, value]) => `${name} ${typeof value === 'number' ? value.toFixed(3) : value}`,
  )
}

/** Seconds as a person would say them: 48 s, 3 min 20 s, 2 h 5 min. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}
