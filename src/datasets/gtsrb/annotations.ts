// The lists of GTSRB: Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId for images, ClassId,SignName for classes.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../../errors.ts'
import type { Problem } from '../dataset.ts'
import { showName } from '../file-names.ts'
import { readCsv } from '../read-csv.ts'
import { readTextFile } from '../text-file.ts'

/** What a list says of an image. */
export interface Annotation {
  /** the class's number */
  readonly number: number
  /** of the image that was annotated, pixels */
  readonly width: number
  readonly height: number
  /** the sign's place in it: the left and top pixels within, the right and bottom ones just outside */
  readonly region: readonly [left: number, top: number, right: number, bottom: number]
}

const columns = ['Filename', 'Width', 'Height', 'Roi.X1', 'Roi.Y1', 'Roi.X2', 'Roi.Y2', 'ClassId']

/** The images that the list `path` in `folder` speaks of, by file name; lines that say something else are told. */
export function readAnnotations(folder: string, path: string, problems: Problem[]): ReadonlyMap<string, Annotation> {
  const [head, ...records] = readCsv(readTextFile(join(folder, path)), ';')
  const places = columns.map((name) => head?.fields.indexOf(name) ?? -1)
  const missing = columns.filter((_, i) => places[i] === -1)
  if (missing.length > 0)
    throw new UserError(
      'data',
      `Cannot read "${path}" as a list of GTSRB: there is no column ${missing.join(', ')} in line 1. Unpack GTSRB again`,
    )
  const found = new Map<string, Annotation>()
  for (const { line, fields, fault } of records) {
    const refuse = (reason: string) => problems.push({ file: `${path}:${line}`, reason })
    const [name = '', ...numbers] = places.map((place) => fields[place] ?? '')
    const [width = 0, height = 0, left = 0, top = 0, right = 0, bottom = 0, number = 0] = numbers.map(Number)
    if (fault !== null) refuse(fault)
    else if (name === '' || numbers.some((text) => !/^\d{1,6}$/.test(text)))
      refuse('it is not a name and seven numbers')
    else if (left >= right || top >= bottom || right > width || bottom > height)
      refuse('the region is not in the image')
    else if (found.has(shown(name))) refuse('the image is in the list twice')
    else found.set(shown(name), { number, width, height, region: [left, top, right, bottom] })
  }
  return found
}

/** `Speed limit (20km/h)` as `speed limit 20`, and no slash, so that class folders can be named so. */
function className(name: string): string {
  const plain = name.replace(/\s*\((\d+)\s*km\/h\)/, ' $1').replaceAll('/', ' or ')
  return showName(Buffer.from(plain.trim().toLowerCase()))
}

/** The names of the classes by number, from the first of these lists that is there; undefined where none is. */
export function readSignNames(paths: readonly string[]): ReadonlyMap<number, string> | undefined {
  const path = paths.find((each) => existsSync(each))
  if (path === undefined) return undefined
  const names = new Map<number, string>()
  for (const { line, fields, fault } of readCsv(readTextFile(path))) {
    const [number = '', name = ''] = fields
    if (line === 1 && !/^\d+$/.test(number)) continue
    const bad = fault ?? (/^\d{1,6}$/.test(number) && name !== '' ? null : 'it is not a number and a name')
    const twice = names.has(Number(number)) || [...names.values()].includes(className(name))
    if (bad !== null || twice)
      throw new UserError('data', `Cannot read "${path}", line ${line}: ${bad ?? 'it says again what stood above'}`)
    names.set(Number(number), className(name))
  }
  return names
}

const shown = (text: string) => showName(Buffer.from(text))
