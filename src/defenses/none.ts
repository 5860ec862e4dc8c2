import { z } from 'zod'
import { trainPlainly } from '../training/learn-labels.ts'
import { defineDefense } from './defense.ts'

/** Plain training: what every defense is compared with. */
export const none = defineDefense({
  title: 'No defense',
  paper: '',
  assumes: 'nothing',
  stages: {
    model: 'training the model',
  },
  options: z.object({}),
  presets: { default: {} },
  train: async (_, view) => ({ classifier: await trainPlainly(view, { name: 'model' }) }),
})
