// The header blocks of tar archives, by POSIX.1-2001 (ustar and pax) and GNU tar's manual: 512 bytes with text, and
// numbers in octal digits or, of GNU tar, as big-endian integers.

export const blockBytes = 512
const zeros = Buffer.alloc(blockBytes)

/** What a header says of its entry. */
export interface TarHeader {
  /** bytes, since names are */
  readonly name: Buffer
  /** bytes of content that follow */
  readonly size: number
  /** one character: '0' a file, '5' a folder, '1' and '2' links, 'x', 'g', 'L' and 'K' about the next entry */
  readonly type: string
}

/** A header from its block; null where the block is all zeros, as at an archive's end; a reason where it is none. */
export function readHeader(block: Buffer): TarHeader | null | string {
  if (block.equals(zeros)) return null
  const said = readNumber(block.subarray(148, 156))
  if (said !== sum(block, 0) && said !== sum(block, 256)) return "the header's checksum is wrong"
  const size = readNumber(block.subarray(124, 136))
  if (size === undefined) return "the entry's size is no number"
  const own = text(block.subarray(0, 100))
  // GNU tar's magic ends in a space and uses the prefix's place for times
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? text(block.subarray(345, 500)) : Buffer.alloc(0)
  const name = prefix.length === 0 ? own : Buffer.concat([prefix, Buffer.from('/'), own])
  const type = String.fromCharCode(block[156] as number)
  if (type !== '\0' && type !== '0') return { name, size, type }
  // before 1988 only a name's slash told folders
  return { name, size, type: name.at(-1) === 0x2f ? '5' : '0' }
}

/** The sum of all bytes, those of the checksum itself taken for spaces. Some old programs took `less` 256 from those above 127. */
function sum(block: Buffer, less: 0 | 256): number {
  let total = 8 * 0x20
  for (let i = 0; i < blockBytes; i++) {
    if (i >= 148 && i < 156) continue
    const byte = block[i] as number
    total += byte > 127 ? byte - less : byte
  }
  return total
}

/** Octal digits between spaces and zeros, or a big-endian integer whose first bit is set; undefined for anything else. */
function readNumber(field: Buffer): number | undefined {
  if (((field[0] as number) & 0x80) !== 0) {
    let value = BigInt((field[0] as number) & 0x7f)
    for (const byte of field.subarray(1)) value = value * 256n + BigInt(byte)
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined
  }
  const digits = field
    .toString('latin1')
    .replace(/[\0 ]+$/, '')
    .trimStart()
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : digits === '' ? 0 : undefined
}

/** The bytes before the first zero. */
function text(field: Buffer): Buffer {
  const end = field.indexOf(0)
  return end < 0 ? field : field.subarray(0, end)
}

/** What pax records say of the next entry: `<length> <key>=<value>\n`, the length in decimal digits and of all that. */
export function readPax(content: Buffer): { path?: Buffer; size?: number } | string {
  const found: { path?: Buffer; size?: number } = {}
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at)
    const digits = content.toString('latin1', at, space < 0 ? at : space)
    const end = at + Number(digits)
    const equals = content.indexOf(0x3d, space)
    const whole = /^\d{1,9}$/.test(digits) && end <= content.length && content[end - 1] === 0x0a
    if (!whole || equals < 0 || equals >= end) return 'an extended header is broken'
    const key = content.toString('latin1', space + 1, equals)
    const value = content.subarray(equals + 1, end - 1)
    if (key === 'path') found.path = value
    if (key === 'size') {
      if (!/^\d{1,15}$/.test(value.toString('latin1'))) return 'an extended header is broken'
      found.size = Number(value.toString('latin1'))
    }
    if (key.startsWith('GNU.sparse')) return 'it holds files with holes, which are not read'
    at = end
  }
  return found
}
