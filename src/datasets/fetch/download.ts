// A file over HTTP that may break off anywhere. What has come lies in PART, and beside it in PART.json which file it is the
// beginning of: the address, and the server's validator (ETag or Last-Modified). The rest is asked for by Range, with
// If-Range, so that a server whose file has changed sends the new one whole (RFC 9110, 13.1.5 and 14.2).
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { UserError } from '../../errors.ts'
import { writeAtomically } from '../../files.ts'
import { Interrupted, reasonOf, request } from './request.ts'

export interface DownloadOptions {
  /** where the file lies until it is whole, and after */
  readonly part: string
  /** how many bytes it has; no more are taken */
  readonly bytes: number
  readonly progress: (done: number, total: number) => void
  /** before another try, milliseconds; one try more than there are pauses */
  readonly pauses?: readonly number[]
  /** after so many milliseconds without a byte a try ends */
  readonly silence?: number
}

const standardPauses = [1000, 2000, 5000, 10_000]
const standardSilence = 60_000

/** Downloads what is missing of a file. UserErrors have a message that is the reason. Says whether parts came at different times. */
export async function download(url: string, options: DownloadOptions): Promise<{ resumed: boolean }> {
  const { pauses = standardPauses } = options
  let resumed = false
  for (let tries = 0; ; tries++) {
    try {
      resumed = (await continueOnce(url, options)) || resumed
      return { resumed }
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error
      resumed = true
      const pause = pauses[tries]
      if (pause === undefined) throw new UserError('data', `${error.message}, in ${tries + 1} tries`)
      await setTimeout(pause)
    }
  }
}

/** One try; true where it began with what was there. */
async function continueOnce(url: string, options: DownloadOptions): Promise<boolean> {
  const { part, bytes, silence = standardSilence } = options
  const { done, validator } = beginning(url, part)
  if (done === bytes) return true
  if (done > bytes) removePart(part)
  const isRest = done > 0 && done < bytes
  const control = new AbortController()
  const watch = global.setTimeout(() => control.abort(), silence)
  try {
    // what is compressed on the way has another length, and the archives are compressed already
    const headers: Record<string, string> = { 'accept-encoding': 'identity', 'user-agent': 'deconfound' }
    if (isRest) headers.range = `bytes=${done}-`
    if (isRest && validator) headers['if-range'] = validator
    const answer = await request(url, { headers, signal: control.signal })
    const from = placeOf(answer, { done: isRest ? done : 0, bytes, part })
    if (from === 0) {
      removePart(part)
      writeAtomically(`${part}.json`, JSON.stringify({ url, validator: validatorOf(answer) }))
    }
    await receive(answer, from, { ...options, alive: () => watch.refresh() })
    return from > 0
  } finally {
    clearTimeout(watch)
    control.abort()
  }
}

interface Beginning {
  readonly done: number
  readonly validator: string | null
}

/** What is there of the file at this address. */
function beginning(url: string, part: string): Beginning {
  const nothing = { done: 0, validator: null }
  if (!existsSync(part) || !existsSync(`${part}.json`)) return nothing
  try {
    const state = JSON.parse(readFileSync(`${part}.json`, 'utf8')) as { url?: unknown; validator?: unknown }
    if (state.url !== url) return nothing
    const validator = typeof state.validator === 'string' ? state.validator : null
    return { done: statSync(part).size, validator }
  } catch (error) {
    if (error instanceof SyntaxError) return nothing
    throw error
  }
}

export function removePart(part: string): void {
  rmSync(part, { force: true })
  rmSync(`${part}.json`, { force: true })
}

/** A validator that is good for If-Range: a strong ETag, else the time of the last change. */
function validatorOf({ headers }: Response): string | null {
  const tag = headers.get('etag')
  return tag !== null && !tag.startsWith('W/') ? tag : headers.get('last-modified')
}

/** Where in the file the answer's body begins; an error where it cannot be the file. */
function placeOf(answer: Response, { done, bytes, part }: { done: number; bytes: number; part: string }): number {
  const { status, headers } = answer
  const again = (reason: string) => {
    removePart(part)
    return new Interrupted(reason)
  }
  if (status === 416) throw again('the server has not the rest of the file')
  const encoding = headers.get('content-encoding') ?? 'identity'
  if (encoding !== 'identity') throw new UserError('data', `the server packs it by ${encoding}, though not asked to`)
  if (status === 206) {
    const [, from, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '') ?? []
    if (done === 0 || Number(from) !== done) throw again('the server sends another part than was asked for')
    refuseLength(total === '*' ? undefined : total, bytes)
    return done
  }
  refuseLength(headers.get('content-length') ?? undefined, bytes)
  return 0
}

function refuseLength(stated: string | undefined, bytes: number): void {
  if (stated === undefined || Number(stated) === bytes) return
  throw new UserError('verification', `the server's file has ${stated} bytes, and the published one ${bytes}`)
}

interface Receiving extends DownloadOptions {
  readonly alive: () => void
}

async function receive(answer: Response, from: number, options: Receiving): Promise<void> {
  const { part, bytes, progress, alive } = options
  const handle = await open(part, from === 0 ? 'w' : 'a')
  let done = from
  try {
    for await (const chunk of bodyOf(answer)) {
      alive()
      done += chunk.length
      if (done > bytes) break
      await handle.writeFile(chunk)
      progress(done, bytes)
    }
    await handle.datasync()
  } finally {
    await handle.close()
  }
  if (done > bytes) {
    removePart(part)
    throw new UserError('verification', `the server sends more than the ${bytes} bytes of the published file`)
  }
  if (done < bytes) throw new Interrupted(`the connection broke off after ${done} of ${bytes} bytes`)
}

/** The chunks of a body; a connection that breaks is an Interrupted. */
async function* bodyOf({ body }: Response): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body ?? []) yield chunk
  } catch (error) {
    throw new Interrupted(reasonOf(error))
  }
}
