import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { resolveConfig } from '../settings/config.ts'
import { createRun, openRun, type RunFolder } from './run-folder.ts'
import { crc32c, record, recordsIn } from './tfrecord.ts'

const home = mkdtempSync(join(tmpdir(), 'events-'))
afterAll(() => rmSync(home, { recursive: true }))

/** The fields of a protobuf message, as the encoding's own page says they are read. */
function fieldsOf(bytes: Uint8Array): { number: number; value: bigint | number | Buffer }[] {
  const data = Buffer.from(bytes)
  const fields: ReturnType<typeof fieldsOf> = []
  let at = 0
  const varint = () => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = data.readUInt8(at++)
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
  }
  while (at < data.length) {
    const tag = Number(varint())
    const number = tag >> 3
    const type = tag & 7
    if (type === 0) {
      fields.push({ number, value: varint() })
      continue
    }
    const length = { 1: 8, 5: 4 }[type] ?? Number(varint())
    const part = data.subarray(at, at + length)
    at += length
    fields.push({ number, value: type === 1 ? part.readDoubleLE() : type === 5 ? part.readFloatLE() : part })
  }
  return fields
}

/** What an event file says: [tag, step, value], and the times of its records. */
function said(run: string) {
  const names = readdirSync(run).filter((each) => each.includes('tfevents'))
  expect(names).toEqual([expect.stringMatching(/^events\.out\.tfevents\.\d{10}\../)])
  const events = recordsIn(readFileSync(join(run, names[0] as string))).map((data) => {
    const fields = fieldsOf(data)
    const of = (number: number) => fields.find((each) => each.number === number)?.value
    return { time: of(1) as number, step: of(2), version: of(3), summary: of(5) as Buffer | undefined }
  })
  expect(String(events[0]?.version)).toBe('brain.Event:2')
  const scalars = events.slice(1).flatMap(({ step, summary }) =>
    fieldsOf(summary as Buffer).map(({ value }) => {
      const [tag, number] = fieldsOf(value as Buffer)
      expect([tag?.number, number?.number]).toEqual([1, 2])
      return [String(tag?.value), Number(step), number?.value]
    }),
  )
  return { scalars, times: events.map(({ time }) => time), path: join(run, names[0] as string) }
}

describe('the checksum', () => {
  it.each([
    ['32 bytes of zero', Buffer.alloc(32), 0x8a9136aa],
    ['32 bytes of one', Buffer.alloc(32, 255), 0x62a8ab43],
    ['32 bytes that count', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
    ['the digits', Buffer.from('123456789'), 0xe3069283],
  ])('of %s is that of RFC 3720', (_, bytes, sum) => {
    expect(crc32c(bytes)).toBe(sum)
  })
})

describe('a record', () => {
  it('is framed as TensorFlow frames it', () => {
    const framed = Buffer.from(record(Buffer.from('0a0568656c6c6f', 'hex')))
    expect(framed.readBigUInt64LE(0)).toBe(7n)
    const unmasked = (sum: number) => {
      const rotated = (sum - 0xa282ead8) >>> 0
      return ((rotated >>> 17) | (rotated << 15)) >>> 0
    }
    expect(unmasked(framed.readUInt32LE(8))).toBe(crc32c(framed.subarray(0, 8)))
    expect(unmasked(framed.readUInt32LE(19))).toBe(crc32c(framed.subarray(12, 19)))
    expect(framed.length).toBe(23)
  })

  it('that is damaged or cut off ends what is read', () => {
    const file = Buffer.concat([record(Buffer.from('one')), record(Buffer.from('two'))])
    expect(recordsIn(file).map(String)).toEqual([expect.anything(), expect.anything()])
    for (let cut = 0; cut < 19; cut++) expect(recordsIn(file.subarray(0, file.length - 1 - cut)).length).toBe(1)
    for (let at = 19; at < file.length; at++) {
      const damaged = Buffer.from(file)
      damaged.writeUInt8((damaged.readUInt8(at) as number) ^ 4, at)
      expect(recordsIn(damaged).length).toBe(1)
    }
  })
})

describe('a run', () => {
  let folder: RunFolder
  beforeEach(() => {
    folder = createRun(home, 'experiment', resolveConfig({ dataset: 'signs' }))
    return () => folder.close()
  })
  const epoch = (stage: string, epoch: number, loss: number) => ({ stage, epoch, seconds: 2, loss, note: 'words' })

  it('says the numbers of its metrics to TensorBoard, as epochs end', () => {
    folder.appendMetrics(epoch('confounder', 0, 1.5))
    expect(said(folder.path).scalars).toEqual([
      ['confounder/seconds', 0, 2],
      ['confounder/loss', 0, 1.5],
    ])
    folder.appendMetrics(epoch('model', 300, 0.25))
    folder.appendMetrics({ trace: 'weight', epoch: 300, auroc: 0.75, cleanMean: null })
    expect(said(folder.path).scalars.slice(2)).toEqual([
      ['model/seconds', 300, 2],
      ['model/loss', 300, 0.25],
      ['weight/auroc', 300, 0.75],
    ])
  })

  it('says no step twice when it goes on, and keeps the times of what stays', () => {
    vi.useFakeTimers({ now: 1_000_000_000_000, toFake: ['Date'] })
    folder.appendMetrics(epoch('model', 0, 3))
    folder.appendMetrics(epoch('model', 1, 2))
    vi.setSystemTime(2_000_000_000_000)
    folder.close()
    folder = openRun(folder.path)
    folder.appendMetrics(epoch('model', 1, 2.5)) // the epoch after the last checkpoint, once more
    folder.appendMetrics(epoch('model', 2, 1))
    vi.useRealTimers()
    const { scalars, times } = said(folder.path)
    const losses = scalars.filter(([tag]) => tag === 'model/loss')
    expect(losses.map(([, step, value]) => [step, value])).toEqual([
      [0, 3],
      [1, 2.5],
      [2, 1],
    ])
    expect(times).toEqual([1e9, 1e9, 2e9, 2e9])
  })

  it('says what a crash left unsaid, and nothing of what it tore', () => {
    folder.appendMetrics(epoch('model', 0, 3))
    folder.appendMetrics(epoch('model', 1, 2))
    folder.close()
    const { path } = said(folder.path)
    truncateSync(path, statSync(path).size - 5)
    appendFileSync(folder.file('metrics.jsonl'), '{"stage":"mod')
    folder = openRun(folder.path)
    folder.appendMetrics(epoch('model', 2, 1))
    expect(said(folder.path).scalars.map(([, step]) => step)).toEqual([0, 0, 1, 1, 2, 2])
  })

  it('of before event files were written gets one of all its epochs', () => {
    writeFileSync(folder.file('metrics.jsonl'), `${JSON.stringify(epoch('model', 0, 3))}\n`)
    folder.appendMetrics(epoch('model', 1, 2))
    expect(said(folder.path).scalars.map(([, step]) => step)).toEqual([0, 0, 1, 1])
  })
})
