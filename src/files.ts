// Files that survive a crash, and folders with one writer. Longer than most: a lock is written, moved and cleared away by the
// same few steps as a file.

import { randomBytes } from 'node:crypto'
// The default import, so that a test can make any one of these calls fail.
import fs from 'node:fs'
import os, { homedir, hostname } from 'node:os'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { UserError } from './errors.ts'

/** One write's limit in bytes: Node refuses 2^31 and more at once. */
const largestWrite = 2 ** 30
/** What `temporaryName` makes: the file's name, the writer's process id, a random part. Locks see to their own. */
const temporaryPattern = /^\.(?!lock\.).+\.(\d+)-[0-9a-f]{16}\.tmp$/

/**
 * Replaces a file in one step: whoever reads it, also after a crash, finds the old content or the new, whole.
 * A full disk is a UserError. After any failure the temporary file is gone, and before the rename the old one is as it
 * was.
 */
export function writeAtomically(path: string, content: Uint8Array | string | readonly Uint8Array[]): void {
  const temporary = join(dirname(path), temporaryName(basename(path)))
  try {
    writeNew(temporary, content)
    fs.renameSync(temporary, path)
    syncFolder(dirname(path))
  } catch (error) {
    try {
      fs.rmSync(temporary, { force: true })
    } catch {
      // The first error is the one to tell.
    }
    throw explained(error, path)
  }
}

/** The objects of a JSON-lines file. A last line that a crash tore is left out; a broken one before it is an error. */
export function readJsonLines(path: string): unknown[] {
  const lines = fs.readFileSync(path, 'utf8').split('\n')
  while (lines.at(-1)?.trim() === '') lines.pop()
  const values: unknown[] = []
  lines.forEach((line, index) => {
    if (line.trim() === '') return
    try {
      values.push(JSON.parse(line))
    } catch {
      if (index === lines.length - 1) return
      throw new UserError('data', `Cannot read ${path}: line ${index + 1} is not JSON`)
    }
  })
  return values
}

/** `$XDG_CACHE_HOME/deconfound/name`, by default under `~/.cache`. */
export function cachePath(name: string): string {
  const chosen = process.env.XDG_CACHE_HOME
  // The XDG specification says to ignore a relative path.
  return join(chosen && isAbsolute(chosen) ? chosen : join(homedir(), '.cache'), 'deconfound', name)
}

/** Makes a folder and those above it that are missing, one by one: Node's own way never ends in `/proc`. */
export function makeFolder(folder: string): void {
  const missing: string[] = []
  for (let at = resolve(folder); !fs.existsSync(at); at = dirname(at)) missing.unshift(at)
  for (const each of missing) {
    try {
      fs.mkdirSync(each)
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error // another process was quicker
    }
  }
}

/** The same folder, created where missing. */
export function cacheFolder(name: string): string {
  const folder = cachePath(name)
  try {
    makeFolder(folder)
  } catch (error) {
    const known = explained(error, folder)
    if (known instanceof UserError || !codeOf(error)) throw known
    const remedy = 'name a folder that can be written in XDG_CACHE_HOME'
    throw new UserError('usage', `Cannot make the cache folder '${folder}': ${(error as Error).message}; ${remedy}`)
  }
  return folder
}

const standardCacheLimit = 5e9
const units: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 }

/** The most bytes that the cache shall hold: `DECONFOUND_CACHE_SIZE`, as in `5GB`, or 5 GB. */
export function cacheLimit(): number {
  const given = process.env.DECONFOUND_CACHE_SIZE
  if (!given) return standardCacheLimit
  const [, number, unit = ''] = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\s*$/i.exec(given) ?? []
  if (number !== undefined) return Number(number) * (units[unit.toLowerCase()] as number)
  const remedy = "expected a size, as in '5GB' or '500MB'"
  throw new UserError('usage', `Cannot use DECONFOUND_CACHE_SIZE='${given}': ${remedy}`)
}

export interface FolderLock {
  /** Gives the folder back; a second call does nothing. */
  release(): void
}

/** How often a holder touches its lock, in ms. */
const touchEvery = 20_000
/** How long after the last touch a lock is dead whose process cannot be looked up, in ms. */
const silence = 300_000

/** Whether a process writes in a folder now, as far as this machine can tell. */
export function isLocked(folder: string): boolean {
  const path = join(folder, 'lock')
  const owner = readOwner(path)
  return owner !== undefined && isAlive(owner, path)
}

/**
 * Makes this process the folder's one writer by a file `lock` in it, and clears away what killed writers left half
 * written there. A lock whose process is dead is taken over; a living one, or one of another machine, is a UserError.
 * Process ids of another container mean nothing here: its lock is a living one for as long as it is touched.
 */
export function lockFolder(folder: string): FolderLock {
  const path = join(folder, 'lock')
  let mine: Owner
  try {
    mine = acquire(path)
  } catch (error) {
    throw explained(error, path)
  }
  const touching = setInterval(() => touch(path, mine), touchEvery).unref()
  for (const name of fs.readdirSync(folder)) {
    const writer = temporaryPattern.exec(name)?.[1]
    if (writer && startOfProcess(Number(writer)) === 'gone') fs.rmSync(join(folder, name), { force: true })
  }
  return {
    release() {
      clearInterval(touching)
      release(path, mine)
    },
  }
}

/** Who holds a lock. The token tells one lock from the next of the same process. */
interface Owner {
  readonly pid: number
  readonly host: string
  /** the machine's start and the name space of process ids, in which the id means something; null where the system does not say */
  readonly boot: string | null
  readonly space: string | null
  /** in clock ticks since the machine's start; null where the system does not say */
  readonly start: string | null
  readonly since: string
  readonly token: string
}

const unreadable: Owner = {
  pid: 0,
  host: '',
  boot: null,
  space: null,
  start: null,
  since: '',
  token: '',
}

/**
 * Taking over a dead lock is itself done under a lock, the heir's, so that nobody removes a lock which another starter
 * has just put in the dead one's place: only the heir of a path may replace it, and looks once more before doing so.
 * An heir that died in the act is succeeded in the same way.
 */
function acquire(path: string): Owner {
  const mine = thisProcess()
  for (let attempt = 0; attempt < 100; attempt++) {
    // Looking first spares a late starter the writing.
    const owner = readOwner(path)
    if (owner === undefined) {
      if (create(path, mine)) return mine
      continue
    }
    if (isAlive(owner, path)) throw lockedBy(owner, path)
    const heirPath = `${path}.heir`
    const heir = acquire(heirPath)
    try {
      if (readOwner(path)?.token === owner.token) {
        put(path, mine, fs.renameSync)
        return mine
      }
    } finally {
      release(heirPath, heir)
    }
  }
  // A link to nowhere of that name is there for who makes a lock and not for who reads it.
  throw lockedBy(unreadable, path)
}

/** Whether the lock is ours now; false where there is one already. */
function create(path: string, owner: Owner): boolean {
  try {
    // A link is made with its whole content or not at all, and never over another file.
    put(path, owner, fs.linkSync)
    return true
  } catch (error) {
    const code = codeOf(error)
    if (code === 'EEXIST') return false
    // Some network and memory-card file systems have no links.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error
  }
  try {
    writeNew(path, JSON.stringify(owner))
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

/** Writes the owner beside `path` and moves it there in one step. */
function put(path: string, owner: Owner, move: (from: string, to: string) => void): void {
  const temporary = join(dirname(path), temporaryName(basename(path)))
  try {
    writeNew(temporary, JSON.stringify(owner))
    move(temporary, path)
  } finally {
    fs.rmSync(temporary, { force: true })
  }
}

function release(path: string, mine: Owner): void {
  if (readOwner(path)?.token === mine.token) fs.rmSync(path, { force: true })
}

/** undefined where there is no lock; a lock that cannot be read counts as somebody's. */
function readOwner(path: string): Owner | undefined {
  let text: string
  try {
    text = fs.readFileSync(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    const value = JSON.parse(text) as Partial<Owner> | null
    const known = Number.isSafeInteger(value?.pid) && typeof value?.host === 'string' && typeof value.token === 'string'
    return known ? { ...unreadable, ...value } : unreadable
  } catch {
    return unreadable
  }
}

/** Where a lock's process runs: its id can be looked up here only. A namesake is a container or a machine of this one's name. */
function placeOf({ host, boot, space }: Owner): 'here' | 'namesake' | 'other machine' {
  const here = thisPlace()
  if (host !== here.host) return 'other machine'
  return differ(boot, here.boot) || differ(space, here.space) ? 'namesake' : 'here'
}

const differ = (a: string | null, b: string | null) => a !== null && b !== null && a !== b

function isAlive(owner: Owner, path: string): boolean {
  const place = placeOf(owner)
  if (place === 'other machine') return true
  if (place === 'namesake') {
    const touched = lastTouch(path)
    // What this machine wrote before it was started anew is dead at once.
    const before = differ(owner.boot, thisPlace().boot) && touched < Date.now() - 1000 * os.uptime()
    return !before && Date.now() - touched < silence
  }
  const start = startOfProcess(owner.pid)
  if (start === 'gone') return false
  return start === null || owner.start === null || start === owner.start
}

function touch(path: string, mine: Owner): void {
  try {
    const now = new Date()
    if (readOwner(path)?.token === mine.token) fs.utimesSync(path, now, now)
  } catch {
    // A folder that is gone needs no lock.
  }
}

/** In ms since 1970; long ago where the lock has gone meanwhile. */
function lastTouch(path: string): number {
  return fs.lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

function lockedBy(owner: Owner, path: string): UserError {
  const remedy = `if no process writes there any more, remove ${path}`
  if (owner.token === '')
    return new UserError('locked', `Cannot lock ${dirname(path)}: its lock is unreadable; ${remedy}`)
  const place = placeOf(owner)
  const remedies = {
    here: 'wait for it or stop it',
    namesake: `wait for it; once it has ended, wait five minutes or remove ${path}`,
    'other machine': remedy,
  }
  const where = {
    here: '',
    namesake: ` of another container or machine named ${owner.host}`,
    'other machine': ` on ${owner.host}`,
  }
  const facts = `process ${owner.pid}${where[place]} writes there since ${owner.since}`
  return new UserError('locked', `Cannot lock ${dirname(path)}: ${facts}; ${remedies[place]}`)
}

function thisProcess(): Owner {
  const start = startOfProcess(process.pid)
  return {
    pid: process.pid,
    ...thisPlace(),
    start: start === 'gone' ? null : start,
    since: new Date().toISOString(),
    token: randomBytes(8).toString('hex'),
  }
}

function thisPlace(): Pick<Owner, 'host' | 'boot' | 'space'> {
  const told = (read: () => string) => {
    try {
      return read().trim()
    } catch {
      return null // no Linux, or no /proc
    }
  }
  return {
    host: hostname(),
    boot: told(() => fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
    space: told(() => fs.readlinkSync('/proc/self/ns/pid')),
  }
}

/** When a process began, so that a reused id is not taken for it; null where the system does not say. */
function startOfProcess(pid: number): string | null | 'gone' {
  try {
    // Fields after the name, which stands in parentheses and may hold anything: state is the 3rd, start the 22nd.
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const ended = fields[0] === 'Z' || fields[0] === 'X'
    return ended ? 'gone' : (fields[19] ?? null)
  } catch {
    // No /proc, or no such process in it.
  }
  try {
    process.kill(pid, 0)
    return null
  } catch (error) {
    return codeOf(error) === 'ESRCH' ? 'gone' : null
  }
}

function temporaryName(name: string): string {
  return `.${name}.${process.pid}-${randomBytes(8).toString('hex')}.tmp`
}

/** Writes a file that must not exist yet, through to the disk. */
function writeNew(path: string, content: Uint8Array | string | readonly Uint8Array[]): void {
  const chunks =
    typeof content === 'string' ? [Buffer.from(content)] : content instanceof Uint8Array ? [content] : content
  const file = fs.openSync(path, 'wx')
  try {
    for (const chunk of chunks) {
      for (let done = 0; done < chunk.length; ) {
        const written = fs.writeSync(file, chunk, done, Math.min(chunk.length - done, largestWrite))
        if (written === 0) throw new Error(`Cannot write ${path}: the system took none of its bytes`)
        done += written
      }
    }
    fs.fsyncSync(file)
  } finally {
    fs.closeSync(file)
  }
}

/** Makes a rename outlast a power failure. */
function syncFolder(folder: string): void {
  const handle = fs.openSync(folder, 'r')
  try {
    fs.fsyncSync(handle)
  } catch (error) {
    // Some file systems cannot do this for folders, and say so.
    if (codeOf(error) !== 'EINVAL' && codeOf(error) !== 'ENOTSUP') throw error
  } finally {
    fs.closeSync(handle)
  }
}

function explained(error: unknown, path: string): unknown {
  const reason = { ENOSPC: 'the disk is full', EDQUOT: 'the disk quota is used up' }[codeOf(error) ?? '']
  if (!reason) return error
  return new UserError('space', `Cannot write ${path}: ${reason}; make room there or choose another folder`)
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code
}
