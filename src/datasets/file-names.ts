// File names are bytes. Ours are strings that give the bytes back: text stays as it is; a backslash, a control or
// direction-changing character, a line separator, and every byte that is not UTF-8 become \xNN. So two files never
// share a name, and a name can neither break a line of a report nor move a terminal's cursor.

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const unsafe = /[\\\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** The string form of a name or path of bytes. */
export function showName(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const text = buffer.toString('utf8')
  if (text.includes('\ufffd') && !Buffer.from(text, 'utf8').equals(buffer)) return showBroken(buffer)
  return text.replace(unsafe, (character) => hex(Buffer.from(character, 'utf8')))
}

/** The bytes that `showName` was given. */
export function nameBytes(name: string): Buffer {
  const parts = name.split(/\\x([0-9a-f]{2})/)
  return Buffer.concat(parts.map((part, i) => (i % 2 === 0 ? Buffer.from(part, 'utf8') : Buffer.from(part, 'hex'))))
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')
}

/** As showName, for bytes of which some are not UTF-8: character by character. */
function showBroken(buffer: Buffer): string {
  let shown = ''
  for (let at = 0; at < buffer.length; ) {
    const length = characterLength(buffer, at)
    const character = buffer.subarray(at, at + length)
    const text = character.toString('utf8')
    const whole = Buffer.from(text, 'utf8').equals(character)
    shown += whole ? text.replace(unsafe, (found) => hex(Buffer.from(found, 'utf8'))) : hex(character)
    at += length
  }
  return shown
}

/** Bytes of the UTF-8 character at `at`; 1 for a byte that begins none. */
function characterLength(buffer: Buffer, at: number): number {
  const lead = buffer[at] as number
  const wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 1
  const character = buffer.subarray(at, at + wanted)
  return Buffer.from(character.toString('utf8'), 'utf8').equals(character) ? wanted : 1
}
