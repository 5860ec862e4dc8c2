// A published data set, brought to this machine: downloaded, or taken from where a person has put its archives; compared
// with the published digests; unpacked beside its place; and put there by renaming, whole or not at all.
import { createHash } from 'node:crypto'
import { createReadStream, existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { exitCode, UserError } from '../errors.ts'
import { lockFolder, makeFolder } from '../files.ts'
import { type DownloadOptions, download, removePart } from './fetch/download.ts'
import { unpackTar } from './fetch/unpack-tar.ts'
import { unpackZip } from './fetch/unpack-zip.ts'
import { unpackedIn } from './fetch/unpacked.ts'
import type { Archive, Release } from './release.ts'

export interface FetchOptions extends Pick<DownloadOptions, 'progress' | 'pauses' | 'silence'> {
  /** the folder to put the data set's folder in */
  readonly to: string
  /** where the archives are in place of the published addresses: an address that their names are added to, or a folder */
  readonly mirror?: string | undefined
  /** hears what is done next */
  readonly say: (line: string) => void
}

export interface Fetched {
  /** the data set's folder */
  readonly folder: string
  /** whether it was there before, whole */
  readonly wasThere: boolean
}

/** Where an archive is taken from: an address, or a file. */
export function sourceOf({ url }: Archive, { to, mirror }: Pick<FetchOptions, 'to' | 'mirror'>): string {
  const name = basename(new URL(url).pathname)
  const byHand = join(to, name)
  if (existsSync(byHand)) return byHand
  if (mirror === undefined) return url
  return isAddress(mirror) ? `${mirror.replace(/\/+$/, '')}/${name}` : join(mirror, name)
}

const isAddress = (place: string) => /^https?:\/\//i.test(place)

/** Brings a published data set to `to`. Nothing is downloaded that is there. */
export async function fetchPublished(release: Release, options: FetchOptions): Promise<Fetched> {
  const folder = join(options.to, release.folder)
  if (existsSync(folder)) {
    const fault = await faultOf(folder, release)
    if (fault === undefined) return { folder, wasThere: true }
    const remedy = 'Move it away, or give --to another folder'
    throw new UserError(
      'data',
      `Cannot put ${release.folder} into "${options.to}": "${folder}" is there, and ${fault}. ${remedy}`,
    )
  }
  const work = `${folder}.part`
  makeFolder(work)
  const lock = lockFolder(work)
  try {
    const unpacked = join(work, 'unpacked')
    rmSync(unpacked, { recursive: true, force: true })
    mkdirSync(unpacked)
    const place = unpackedIn(unpacked, release)
    for (const archive of release.archives) {
      const path = await bring(archive, work, { release, ...options })
      options.say(`unpacking ${basename(path)}`)
      const unpack = archive.form === 'zip' ? unpackZip : unpackTar
      await unpack(path, archive, place).catch(about(`Cannot unpack "${path}"`, 'Nothing of it was kept'))
    }
    const fault = await faultOf(join(unpacked, release.folder), release)
    if (fault !== undefined)
      throw new UserError(
        'verification',
        `Cannot use the archives of ${release.folder}: ${fault}. Give --mirror another place`,
      )
    renameSync(join(unpacked, release.folder), folder)
    rmSync(work, { recursive: true })
    return { folder, wasThere: false }
  } catch (error) {
    rmSync(join(work, 'unpacked'), { recursive: true, force: true })
    throw error
  } finally {
    lock.release()
    if (existsSync(work) && readdirSync(work).length === 0) rmdirSync(work)
  }
}

interface Bringing extends FetchOptions {
  readonly release: Release
}

/** The archive as a file that has the published digests. */
async function bring(archive: Archive, work: string, options: Bringing): Promise<string> {
  const source = sourceOf(archive, options)
  const name = basename(new URL(archive.url).pathname)
  if (!isAddress(source)) {
    if (!existsSync(source))
      throw new UserError('data', `Cannot fetch ${name}: "${source}" is not there. Put it there, or leave --mirror out`)
    const fault = await differenceOf(source, archive)
    if (fault !== undefined) throw new UserError('verification', `Cannot use "${source}": ${fault}. Download it again`)
    return source
  }
  const path = join(work, name)
  if (existsSync(path)) return path // compared when it got this name
  const part = `${path}.part`
  for (let again = false; ; again = true) {
    options.say(`${existsSync(part) ? 'going on with' : 'downloading'} ${source}, ${archive.bytes} bytes`)
    const { resumed } = await download(source, { ...options, part, bytes: archive.bytes }).catch(
      about(`Cannot download ${source}`, remedyOf(options)),
    )
    const fault = await differenceOf(part, archive)
    if (fault === undefined) {
      renameSync(part, path)
      removePart(part)
      return path
    }
    removePart(part)
    // parts of two files may have come together
    if (resumed && !again) continue
    throw new UserError('verification', `Cannot use what came from ${source}: ${fault}. Give --mirror another place`)
  }
}

function remedyOf({ release, to }: Bringing): string {
  const urls = release.archives.map(({ url }) => url).join(' ')
  return `Give the command again to go on, or give --mirror another place, or put the files of ${urls} into "${resolve(to)}" and give it again`
}

/** For `catch`: makes a whole message of a UserError's reason. */
const about = (action: string, remedy: string) => (error: unknown) => {
  if (!(error instanceof UserError)) throw error
  const kind = error.code === exitCode.verification ? 'verification' : 'data'
  throw new UserError(kind, `${action}: ${error.message}. ${remedy}`)
}

/** How a file differs from the published one; undefined where it does not. */
async function differenceOf(path: string, { bytes, md5, sha256 }: Archive): Promise<string | undefined> {
  const { size } = statSync(path)
  if (size !== bytes) return `it has ${size} bytes, and the published file ${bytes}`
  for (const [method, published] of Object.entries({ 'SHA-256': sha256, MD5: md5 })) {
    const own = published === undefined ? undefined : await digestOf(path, method)
    if (own !== published) return `its ${method} is ${own}, and the published file's ${published}`
  }
  return undefined
}

/** What is wrong with an unpacked folder; undefined where nothing is. */
async function faultOf(folder: string, { files }: Release): Promise<string | undefined> {
  for (const [name, md5] of Object.entries(files)) {
    const path = join(folder, name)
    if (!existsSync(path) || !statSync(path).isFile()) return `"${name}" is not in it`
    if (md5 !== null && (await digestOf(path, 'MD5')) !== md5) return `"${name}" in it is not as published`
  }
  return undefined
}

async function digestOf(path: string, method: string): Promise<string> {
  const hash = createHash(method.replace('-', ''))
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array)
  return hash.digest('hex')
}
