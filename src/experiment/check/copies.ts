// Images that are there several times: the same, or nearly.
import { createHash } from 'node:crypto'
import { type ImageSet, pixelsOf } from '../../training/images.ts'
import { correlation, hashWords, type Print, printOf } from './difference-hash.ts'
import {
  type Check,
  type Item,
  type Material,
  type Named,
  nameOf,
  type Picture,
  picturesOf,
  plural,
} from './finding.ts'
import { nearPairs } from './near-pairs.ts'

/** Bits of 128 that may differ between copies. */
const mostBits = 16
/** The least correlation of copies. */
const leastCorrelation = 0.9

/** The same content: by pixels as they are trained on, and by the bytes of files, also of data that are refused. */
export const exactDuplicates: Check = {
  title: 'images that are there several times',
  find(material) {
    const { files, sets } = material
    const groups = sets
      ? groupBy(picturesOf(material), hashOf(material))
      : groupBy(filesOf(material), hashOfFile(files))
    const items = groups.map((group) => itemOf(group, saysOfExact(group, files)))
    return items.length === 0 ? null : { says: sumOf(items, 'exact duplicates'), items }
  },
}

/** Nearly the same picture: scaled, saved again, a little lighter. Images of one group are expected to look alike. */
export const nearDuplicates: Check = {
  title: 'images that look nearly the same',
  find(material) {
    const pictures = firstOfEach(picturesOf(material), hashOf(material))
    const links = nearLinks(pictures, (picture) => printOf(setOf(material, picture), picture.at))
    const distances = new Map(links.map(({ i, j, distance }) => [`${Math.min(i, j)} ${Math.max(i, j)}`, distance]))
    const items = starsOf(links).map((group) => {
      const [first, ...others] = group as [number, ...number[]]
      const members = group.map((i) => pictures[i] as Picture)
      const bits = Math.max(...others.map((other) => distances.get(`${first} ${other}`) as number))
      return { ...itemOf(members, `${members.length} images that look nearly the same`), figures: { bits } }
    })
    return items.length === 0 ? null : { says: sumOf(items, 'near duplicates'), items }
  },
}

const setOf = ({ sets }: Material, { split }: Picture) => sets?.[split] as ImageSet

/** SHA-256 of an image's pixels; kept, since two checks ask for it. */
function hashOf(material: Material): (picture: Picture) => string {
  const known = pixelHashes.get(material) ?? new Map<string, string>()
  pixelHashes.set(material, known)
  return (picture) => {
    const key = `${picture.split} ${picture.at}`
    const hash = known.get(key) ?? sha256(pixelsOf(setOf(material, picture), [picture.at]))
    known.set(key, hash)
    return hash
  }
}

const pixelHashes = new WeakMap<Material, Map<string, string>>()
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('base64')

const filesOf = ({ files }: Material): Named[] => [...files.keys()].map((file) => ({ file, class: null, split: null }))
const hashOfFile = (files: Material['files']) => (named: Named) => files.get(named.file)?.hash ?? named.file

/** Of images that are the same the first: the others are told as exact duplicates. */
function firstOfEach(pictures: readonly Picture[], keyOf: (picture: Picture) => string): Picture[] {
  const seen = new Set<string>()
  return pictures.filter((picture) => {
    const key = keyOf(picture)
    const isFirst = !seen.has(key)
    seen.add(key)
    return isFirst
  })
}

/** Groups of two or more with the same key, in the order of their first members. */
function groupBy<T>(all: readonly T[], keyOf: (each: T) => string): T[][] {
  const groups = new Map<string, T[]>()
  for (const each of all) {
    const key = keyOf(each)
    const group = groups.get(key)
    if (group) group.push(each)
    else groups.set(key, [each])
  }
  return [...groups.values()].filter(({ length }) => length > 1)
}

interface Link {
  readonly i: number
  readonly j: number
  /** bits that differ */
  readonly distance: number
}

function nearLinks(pictures: readonly Picture[], printOfPicture: (picture: Picture) => Print | null): Link[] {
  const prints = pictures.map(printOfPicture)
  const places = [...prints.keys()].filter((i) => prints[i])
  const hashes = new Uint32Array(places.length * hashWords)
  places.forEach((i, place) => {
    hashes.set((prints[i] as Print).hash, place * hashWords)
  })
  const links: Link[] = []
  nearPairs(hashes, { words: hashWords, most: mostBits }, (a, b, distance) => {
    const [i, j] = [places[a] as number, places[b] as number]
    const [one, other] = [pictures[i] as Picture, pictures[j] as Picture]
    if (one.group !== null && one.group === other.group && one.split === other.split) return
    if (correlation((prints[i] as Print).grid, (prints[j] as Print).grid) < leastCorrelation) return
    links.push({ i, j, distance })
  })
  return links
}

/**
 * Groups of places such that every two that are linked are in a common group, and every member is linked to the group's
 * first. Where A is like B and B like C alone, these are two groups: in a chain of many the ends have nothing in common.
 */
function starsOf(links: readonly Link[]): number[][] {
  const later = new Map<number, Set<number>>()
  for (const { i, j } of links) {
    const [first, second] = [Math.min(i, j), Math.max(i, j)]
    later.set(first, (later.get(first) ?? new Set()).add(second))
  }
  const told = new Set<string>()
  const groups: number[][] = []
  for (const first of [...later.keys()].sort((a, b) => a - b)) {
    const others = [...(later.get(first) as Set<number>)].sort((a, b) => a - b)
    const untold = others.filter((other) => !told.has(`${first} ${other}`))
    if (untold.length === 0) continue
    groups.push([first, ...untold])
    for (const one of untold) for (const other of untold) if (later.get(one)?.has(other)) told.add(`${one} ${other}`)
  }
  return groups
}

function itemOf(group: readonly Named[], says: string): Item {
  const classes = [...new Set(group.flatMap((each) => each.class ?? []))]
  const splits = new Set(group.map(({ split }) => split))
  return {
    says,
    images: group.map(nameOf),
    classes,
    across: [...(classes.length > 1 ? (['classes'] as const) : []), ...(splits.size > 1 ? (['splits'] as const) : [])],
  }
}

function saysOfExact(group: readonly Named[], files: Material['files']): string {
  const hashes = new Set(group.map(({ file }) => files.get(file)?.hash))
  const same = hashes.size === 1 && !hashes.has(undefined) ? 'files of the same bytes' : 'images of the same pixels'
  return `${group.length} ${same}`
}

function sumOf(items: readonly Item[], what: string): string {
  const images = new Set(items.flatMap((item) => item.images.map(({ file, split }) => `${split} ${file}`))).size
  const across = (between: 'classes' | 'splits') => items.filter((item) => item.across?.includes(between)).length
  return [
    `${plural(items.length, 'group')} of ${what}, ${images} images`,
    ...(across('classes') > 0 ? [`${plural(across('classes'), 'group')} under different labels`] : []),
    ...(across('splits') > 0 ? [`${plural(across('splits'), 'group')} in both training and test images`] : []),
  ].join('; ')
}
