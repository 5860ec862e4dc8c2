// Records as TensorFlow frames them (https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details):
//
//   uint64  length of the data
//   uint32  masked CRC-32C of the length
//   bytes   data
//   uint32  masked CRC-32C of the data
//
// all little endian.

/** Data as a record. */
export function record(data: Uint8Array): Uint8Array {
  const framed = Buffer.alloc(data.length + 16)
  framed.writeBigUInt64LE(BigInt(data.length), 0)
  framed.writeUInt32LE(masked(framed.subarray(0, 8)), 8)
  framed.set(data, 12)
  framed.writeUInt32LE(masked(data), 12 + data.length)
  return framed
}

/** The data of a file's records, up to the first that is damaged or cut off. */
export function recordsIn(file: Buffer): Uint8Array[] {
  const records: Uint8Array[] = []
  for (let at = 0; at + 16 <= file.length; ) {
    const length = Number(file.readBigUInt64LE(at))
    const end = at + 12 + length
    if (end + 4 > file.length || file.readUInt32LE(at + 8) !== masked(file.subarray(at, at + 8))) break
    const data = file.subarray(at + 12, end)
    if (file.readUInt32LE(end) !== masked(data)) break
    records.push(data)
    at = end + 4
  }
  return records
}

/** ((crc >> 15) | (crc << 17)) + 0xa282ead8, so that the sum over data that hold such sums stays sound. */
function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes)
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

/** The reflected polynomial of Castagnoli. */
const polynomial = 0x82f63b78
/** Of each byte. */
const remainders = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ polynomial : rest >>> 1
  return rest
})

/** CRC-32C (RFC 3720, appendix B.4), an unsigned number. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (remainders[(crc ^ byte) & 255] as number) ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}
