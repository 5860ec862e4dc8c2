// The firmware of many Samsung phones writes wrong bounds into the scan headers of baseline JPEGs: Ss = 1 or Se = 0, where
// only 0 and 63 make sense. Decoders pass over them with a warning. Warnings mark damage too, so the bounds are put right
// here, and any other warning goes on to refuse the file.

const [startOfScan, endOfImage] = [0xda, 0xd9]
const sequential = [0xc0, 0xc1]
/** Frames of other kinds, whose scans have bounds of their own; without the tables of Huffman and arithmetic codes. */
const otherFrames = [0xc2, 0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf]

/** The JPEG with Ss, Se, Ah and Al of sequential scans (ITU T.81, B.2.3) as they must be; a copy where they were not. */
export function mendScans(jpeg: Uint8Array): Uint8Array {
  const bytes = Buffer.from(jpeg.buffer, jpeg.byteOffset, jpeg.byteLength)
  let mended: Uint8Array | undefined
  let isSequential = false
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1] as number
    if (marker === endOfImage || otherFrames.includes(marker)) break
    if (marker === 0xff) {
      at++ // a marker may be filled up
      continue
    }
    if (sequential.includes(marker)) isSequential = true
    at += 2 + bytes.readUInt16BE(at + 2)
    if (marker !== startOfScan) continue
    if (!isSequential || at > bytes.length) break
    if (bytes.readUIntBE(at - 3, 3) !== 0x003f00) {
      mended ??= jpeg.slice()
      mended.set([0, 63, 0], at - 3)
    }
    at = endOfScan(bytes, at)
  }
  return mended ?? jpeg
}

/** Where the next marker is; a stuffed byte and a restart belong to the scan. */
function endOfScan(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    const next = bytes[at + 1] ?? 0
    if (next !== 0 && !(next >= 0xd0 && next <= 0xd7)) return at
  }
  return bytes.length
}
