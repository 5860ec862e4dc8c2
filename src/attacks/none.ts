import { z } from 'zod'
import { defineAttack } from './attack.ts'

/** No attack: how every defense must also be measured. */
export const none = defineAttack({
  title: 'No attack',
  paper: '',
  labels: 'none',
  options: z.object({}),
  craft: () => ({ trigger: (images) => images.clone(), label: (y) => y, eligible: () => false }),
})
