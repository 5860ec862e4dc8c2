// What an exported ONNX file says of its model: the names of its classes, the shape of its images and how others are made to fit.
// Python's onnxruntime tells these facts by itself; its JavaScript build does not, so they are read from the file's outermost
// level, a protobuf message: fields, each a number and a type, then a value. Field 14 is a fact: its name (1) and its text (2).

/** @param {Uint8Array} file @returns {{ classes: string[], shape: [number, number, number], fit: string, ground: string }} */
export function modelFacts(file) {
  const words = new TextDecoder()
  const facts = new Map()
  for (const { number, value } of fields(file)) {
    if (number !== 14) continue
    const [name, text] = Array.from(fields(value), (field) => words.decode(field.value))
    facts.set(name, text)
  }
  const read = (name) => JSON.parse(facts.get(name))
  return { classes: read('classes'), shape: read('shape'), fit: facts.get('fit'), ground: facts.get('ground') }
}

/** The fields of a message; of those that hold bytes, the bytes. */
function* fields(bytes) {
  let at = 0
  const varint = () => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++]
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const tag = varint()
    const type = tag & 7
    const length = type === 2 ? varint() : type === 1 ? 8 : type === 5 ? 4 : 0
    if (type === 0) varint()
    yield { number: tag >>> 3, value: bytes.subarray(at, at + length) }
    at += length
  }
}
