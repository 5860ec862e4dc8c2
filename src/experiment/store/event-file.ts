import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { writeAtomically } from '../../files.ts'
import { bytesField, doubleField, floatField, joined, messageField, varintField } from './protobuf.ts'
import { record, recordsIn } from './tfrecord.ts'

// What TensorBoard reads: a record for each finished epoch, with the numbers of its line in metrics.jsonl. A record is a protobuf
// message Event (https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/util/event.proto, summary.proto beside it).

/** The metrics of an epoch, as a line of metrics.jsonl has them. */
export type Metrics = Readonly<Record<string, unknown>>

/** What an epoch is known by: resumed training may come through one again, and the last word counts. */
export const epochKey = ({ stage, trace, epoch }: Metrics) => JSON.stringify([stage, trace, epoch])

export interface EventFile {
  /** Adds an epoch, whose line is in the metrics already; `all` gives the last word on each epoch, this one included. */
  append(line: Metrics, all: () => readonly Metrics[]): void
}

/**
 * The event file of a run's directory, which is made with the first epoch. It says of each epoch what the metrics say, once. Where
 * it does not yet, after a crash or where an epoch comes again, it is written anew from the metrics.
 */
export function eventFile(folder: string): EventFile {
  let written: Set<string> | undefined
  return {
    append(line, all) {
      if (!written || written.has(epochKey(line))) {
        const lines = all()
        writeAnew(eventPath(folder), lines)
        written = new Set(lines.map(epochKey))
      } else {
        appendFileSync(eventPath(folder), record(joined([wallTime(now()), content(line)])))
        written.add(epochKey(line))
      }
    },
  }
}

const now = () => Date.now() / 1000

/** The name that TensorBoard knows such files by; one that is there already keeps its own. */
function eventPath(folder: string): string {
  const known = readdirSync(folder).find((name) => name.startsWith(prefix))
  return join(folder, known ?? `${prefix}${String(Math.floor(now())).padStart(10, '0')}.${hostname()}`)
}

const prefix = 'events.out.tfevents.'

/** Epochs that the file says in the same words keep the time at which they were written. */
function writeAnew(path: string, lines: readonly Metrics[]): void {
  const times = new Map<string, Uint8Array>()
  for (const event of existsSync(path) ? recordsIn(readFileSync(path)) : [])
    times.set(text(event.subarray(wallTimeLength)), event.subarray(0, wallTimeLength))
  const contents = [version, ...lines.map(content)]
  const events = contents.map((each) => record(joined([times.get(text(each)) ?? wallTime(now()), each])))
  writeAtomically(path, events)
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')

/** Event.wall_time, in seconds since 1970 */
const wallTime = (seconds: number) => doubleField(1, seconds)
const wallTimeLength = 9
/** Event.file_version */
const version = bytesField(3, 'brain.Event:2')

/** Event.step and Event.summary: a Summary.Value, tag and simple_value, for each number; `model/loss` is that of the stage `model`. */
function content({ stage, trace, epoch, ...rest }: Metrics): Uint8Array {
  const values = Object.entries(rest).filter(([, value]) => typeof value === 'number')
  const summary = values.map(([name, value]) =>
    messageField(1, [bytesField(1, `${stage ?? trace}/${name}`), floatField(2, value as number)]),
  )
  return joined([varintField(2, epoch as number), messageField(5, summary)])
}
