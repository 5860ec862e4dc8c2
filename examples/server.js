// A server that classifies images with an exported model, and serves a page that does the same in the browser.
//
//   npm install onnxruntime-web sharp
//   node server.js model.onnx 8080
//   curl --data-binary @photo.jpg http://127.0.0.1:8080/classify

import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { InferenceSession, Tensor } from 'onnxruntime-web'
import sharp from 'sharp'
import { modelFacts } from './model-facts.js'

const [modelFile = 'model.onnx', port = '8080'] = process.argv.slice(2)
const model = readFileSync(modelFile)
const { classes, shape, fit, ground } = modelFacts(model)
const session = await InferenceSession.create(model)
const mostBytes = 20_000_000

/** An image file's classes, the most probable first. */
async function classify(file) {
  const [channels, height, width] = shape
  const pixels = await sharp(file, { autoOrient: true })
    .flatten({ background: ground })
    .resize(width, height, { fit: fit === 'stretch' ? 'fill' : fit, background: ground })
    .toColourspace('srgb')
    .raw()
    .toBuffer()
  const area = height * width
  const images = new Float32Array(channels * area)
  for (let i = 0; i < area; i++)
    for (let c = 0; c < channels; c++) images[c * area + i] = pixels[channels * i + c] / 255
  const { probabilities } = await session.run({ images: new Tensor('float32', images, [1, ...shape]) })
  return classes
    .map((name, k) => ({ class: name, probability: probabilities.data[k] }))
    .sort((a, b) => b.probability - a.probability)
}

const here = dirname(fileURLToPath(import.meta.url))
const runtime = dirname(createRequire(import.meta.url).resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm'))
const script = 'text/javascript'

/** What the page consists of: by path, the file and its type. */
const files = {
  '/': [join(here, 'page.html'), 'text/html; charset=utf-8'],
  '/page.js': [join(here, 'page.js'), script],
  '/model-facts.js': [join(here, 'model-facts.js'), script],
  '/model.onnx': [modelFile, 'application/octet-stream'],
  '/runtime/ort.wasm.min.mjs': [join(runtime, 'ort.wasm.min.mjs'), script],
  '/runtime/ort-wasm-simd-threaded.mjs': [join(runtime, 'ort-wasm-simd-threaded.mjs'), script],
  '/runtime/ort-wasm-simd-threaded.wasm': [join(runtime, 'ort-wasm-simd-threaded.wasm'), 'application/wasm'],
}

async function bodyOf(request) {
  const parts = []
  let length = 0
  for await (const part of request) {
    length += part.length
    if (length > mostBytes) throw new Error(`the image has more than ${mostBytes} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts)
}

createServer(async (request, response) => {
  const answer = (status, value) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(value))
  }
  const { pathname } = new URL(request.url, 'http://localhost')
  if (request.method === 'POST' && pathname === '/classify') {
    try {
      answer(200, { guesses: await classify(await bodyOf(request)) })
    } catch (error) {
      answer(400, { error: error.message })
    }
    return
  }
  const [file, type] = (request.method === 'GET' && Object.hasOwn(files, pathname) && files[pathname]) || []
  if (!file) return answer(404, { error: 'there is no such page' })
  response.writeHead(200, { 'content-type': type })
  response.end(readFileSync(file))
}).listen(Number(port), '127.0.0.1', function () {
  console.log(`http://127.0.0.1:${this.address().port}/`)
})
