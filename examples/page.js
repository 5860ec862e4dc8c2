// Classifies images in the browser, with the model and the runtime that the page's own server gives: see server.js.

import { modelFacts } from './model-facts.js'
import { env, InferenceSession, Tensor } from './runtime/ort.wasm.min.mjs'

env.wasm.wasmPaths = new URL('runtime/', location.href).href
env.wasm.numThreads = 1 // several need a page that is isolated from all other origins

const [input, canvas, status, table] = ['input', 'canvas', '[role=status]', 'table'].map((each) =>
  document.querySelector(each),
)
const model = new Uint8Array(await (await fetch('model.onnx')).arrayBuffer())
const { classes, shape, fit, ground } = modelFacts(model)
const session = await InferenceSession.create(model)
status.textContent = `The model tells ${classes.length} classes apart.`
input.disabled = false

input.addEventListener('change', async () => {
  try {
    const guesses = await classify(await createImageBitmap(input.files[0]))
    status.textContent = `This looks like: ${guesses[0].class}`
    table.replaceChildren(...guesses.slice(0, 5).map(row))
  } catch (error) {
    status.textContent = `Cannot classify this file: ${error.message}`
    table.replaceChildren()
  }
})

/** Its classes, the most probable first. */
async function classify(image) {
  const [channels, height, width] = shape
  const area = height * width
  const pixels = pixelsOf(image, width, height)
  const images = new Float32Array(channels * area)
  for (let i = 0; i < area; i++) for (let c = 0; c < channels; c++) images[c * area + i] = pixels[4 * i + c] / 255
  const { probabilities } = await session.run({ images: new Tensor('float32', images, [1, ...shape]) })
  return classes
    .map((name, k) => ({ class: name, probability: probabilities.data[k] }))
    .sort((a, b) => b.probability - a.probability)
}

/** Red, green, blue and opacity of the image, made to fit as the model expects; it is drawn where the page shows it. */
function pixelsOf(image, width, height) {
  Object.assign(canvas, { width, height })
  const context = canvas.getContext('2d', { willReadFrequently: true })
  context.fillStyle = ground
  context.fillRect(0, 0, width, height)
  const scales = [width / image.width, height / image.height]
  const scale = fit === 'cover' ? Math.max(...scales) : Math.min(...scales)
  const [wide, high] =
    fit === 'stretch' ? [width, height] : [image.width, image.height].map((side) => Math.round(side * scale))
  context.imageSmoothingQuality = 'high'
  context.drawImage(image, Math.round((width - wide) / 2), Math.round((height - high) / 2), wide, high)
  return context.getImageData(0, 0, width, height).data
}

function row({ class: name, probability }) {
  const line = document.createElement('tr')
  for (const text of [name, `${(100 * probability).toFixed(1)} %`])
    line.append(Object.assign(document.createElement('td'), { textContent: text }))
  return line
}
