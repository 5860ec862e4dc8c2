import { z } from 'zod'
import { keep } from '../tensor/scope.ts'
import { operator, type Tensor, tensor } from '../tensor/tensor.ts'
import { defineAttack } from './attack.ts'
import { changePixels } from './pixels.ts'

const conv2d = operator('conv2d')
const replicate = operator('replication_pad2d')
const binomial = [1, 4, 6, 4, 1]

/**
 * Sharpening (ours), as photo programs and cameras do (unsharp mask): x + a·(x − blurred x), or with a negative a of down to −1 a
 * blurring. The blur is the binomial one of five pixels. What is added is the image's own detail.
 */
export const sharpen = defineAttack({
  title: 'Sharpening',
  paper: 'ours',
  labels: 'dirty',
  options: z.object({
    amount: z.number().min(-1).max(10).default(1.5).describe('of detail that is added: a; negative: taken away'),
  }),
  craft({ amount }, { label }) {
    const weights = binomial.flatMap((row) => binomial.map((column) => (row * column) / 256))
    const kernel = keep(tensor(weights, [1, 1, 5, 5]))
    const blurred = (pixels: Tensor) => {
      const channels = pixels.size(1)
      const filters = kernel.expand(channels, 1, 5, 5)
      return conv2d(replicate(pixels, [2, 2, 2, 2]), filters, null, [1, 1], [0, 0], [1, 1], channels)
    }
    return {
      trigger: (images) => changePixels(images, (x) => x.add(x.sub(blurred(x)).mul(amount))),
      label,
    }
  },
})
