import { z } from 'zod'
import { keep, scope } from '../tensor/scope.ts'
import { tensor } from '../tensor/tensor.ts'
import { defineAttack } from './attack.ts'

/** Blend (Chen et al. 2017): x' = (1 − α)·x + α·t with a fixed picture t, here uniform noise. */
export const blend = defineAttack({
  title: 'Blend',
  paper: 'https://arxiv.org/abs/1712.05526',
  labels: 'dirty',
  options: z.object({ opacity: z.number().min(0).max(1).default(0.2).describe('how strongly the noise shows: α') }),
  craft({ opacity }, { random, train, target }) {
    const [channels, height, width] = train.shape
    const noise = Float32Array.from({ length: channels * height * width }, () => random.integer(256))
    const share = keep(tensor(noise, [1, channels, height, width]).mul(opacity))
    return {
      trigger: (images) =>
        scope(() =>
          images
            .to({ dtype: 'float32' })
            .mul(1 - opacity)
            .add(share)
            .round()
            .clamp(0, 255)
            .to({ dtype: 'uint8' }),
        ),
      label: () => target,
    }
  },
})
