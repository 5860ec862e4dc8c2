// Archives for tests, well-formed but for what is asked: tar as POSIX.1-2001 has it, compressed, and zip as PKWARE's APPNOTE.
import { crc32, deflateRawSync, gzipSync } from 'node:zlib'

export interface Member {
  readonly name: string
  /** tar's letter: 0 a file, 1 a hard link, 2 a symbolic link, 3 a device, 5 a folder */
  readonly type?: string
  readonly content?: Buffer
  /** where a link leads */
  readonly link?: string
  /** how a name of more than 100 bytes is written */
  readonly long?: 'gnu' | 'pax'
  /** zip: a size that is not the content's */
  readonly statedSize?: number
}

/** A compressed tar archive. */
export function tar(members: readonly Member[]): Buffer {
  return gzipSync(Buffer.concat([...members.flatMap(tarMember), Buffer.alloc(1024)]))
}

function tarMember({ name, type = '0', content = Buffer.alloc(0), link = '', long }: Member): Buffer[] {
  if (long === 'gnu') {
    const text = Buffer.from(`${name}\0`)
    return [
      ...tarEntry({ name: '././@LongLink', type: 'L', content: text, link: '' }),
      ...tarEntry({ name: name.slice(0, 100), type, content, link }),
    ]
  }
  if (long === 'pax') {
    const record = ` path=${name}\n`
    // the length counts its own digits, three of them here
    const text = Buffer.from(`${record.length + 3}${record}`)
    return [
      ...tarEntry({ name: 'PaxHeader', type: 'x', content: text, link: '' }),
      ...tarEntry({ name: name.slice(0, 100), type, content, link }),
    ]
  }
  return tarEntry({ name, type, content, link })
}

function tarEntry({
  name,
  type,
  content,
  link,
}: Required<Pick<Member, 'name' | 'type' | 'content' | 'link'>>): Buffer[] {
  const isFile = !'1235'.includes(type)
  const header = Buffer.alloc(512)
  const size = isFile ? content.length : 0
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`
  header.write(name, 0)
  header.write(octal(0o644, 7), 100)
  header.write(octal(size, 11), 124)
  header.write(octal(0, 11), 136)
  header.write(type, 156)
  header.write(link, 157)
  header.write('ustar\x0000', 257)
  header.write('        ', 148)
  header.write(
    `${octal(
      header.reduce((sum, byte) => sum + byte, 0),
      6,
    )} `,
    148,
  )
  const padding = Buffer.alloc((512 - (size % 512)) % 512)
  return isFile ? [header, content, padding] : [header]
}

const unixTypes: Readonly<Record<string, number>> = { 0: 0o100644, 2: 0o120777, 3: 0o020666, 5: 0o040755 }

/** A zip archive. */
export function zip(members: readonly Member[]): Buffer {
  const locals: Buffer[] = []
  const central: Buffer[] = []
  let at = 0
  for (const { name, type = '0', content = Buffer.alloc(0), link, statedSize } of members) {
    const own = link === undefined ? content : Buffer.from(link)
    const packed = deflateRawSync(own)
    const path = Buffer.from(name)
    const shared = Buffer.alloc(26)
    shared.writeUInt16LE(20, 0) // version needed
    shared.writeUInt16LE(8, 4) // deflated
    shared.writeUInt32LE(crc32(own), 10)
    shared.writeUInt32LE(packed.length, 14)
    shared.writeUInt32LE(statedSize ?? own.length, 18)
    shared.writeUInt16LE(path.length, 22)
    locals.push(Buffer.from('PK\x03\x04', 'latin1'), shared, path, packed)
    const tail = Buffer.alloc(14)
    tail.writeUInt32LE(((unixTypes[type] ?? 0o100644) << 16) >>> 0, 6)
    tail.writeUInt32LE(at, 10)
    central.push(Buffer.from('PK\x01\x02\x14\x03', 'latin1'), shared, tail, path)
    at += 4 + shared.length + path.length + packed.length
  }
  const directory = Buffer.concat(central)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(members.length, 8)
  end.writeUInt16LE(members.length, 10)
  end.writeUInt32LE(directory.length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...locals, directory, end])
}
