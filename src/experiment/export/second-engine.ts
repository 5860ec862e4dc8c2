import type { InferenceSession } from 'onnxruntime-web'
import type { ImageShape } from '../../training/images.ts'
import { ends } from './graph.ts'

// onnxruntime's WebAssembly build, which shares no code with libtorch and needs no network. Its module is large and loaded here.

/** A model in the second engine. */
export interface SecondEngine {
  /** Logits [batch, classes] and probabilities of the same shape, of pixels float32 [batch, channels, height, width] in [0, 1]. */
  run(pixels: Float32Array, shape: ImageShape): Promise<{ logits: Float32Array; probabilities: Float32Array }>
  close(): Promise<void>
}

/** Opens an ONNX file's bytes; the first that is opened settles the number of threads. */
export async function openSecondEngine(bytes: Uint8Array, threads = 1): Promise<SecondEngine> {
  const { InferenceSession, Tensor, env } = await import('onnxruntime-web')
  env.wasm.numThreads = threads
  env.logLevel = 'error'
  const session: InferenceSession = await InferenceSession.create(bytes)
  return {
    async run(pixels, shape) {
      const batch = pixels.length / shape.reduce((product, length) => product * length)
      const results = await session.run({ [ends.images]: new Tensor('float32', pixels, [batch, ...shape]) })
      const of = (name: string) => results[name]?.data as Float32Array
      return { logits: of(ends.logits), probabilities: of(ends.probabilities) }
    },
    close: () => session.release(),
  }
}
