import { badnets } from './badnets.ts'
import { blend } from './blend.ts'
import { none } from './none.ts'

/** The catalogue of attacks. */
export const attacks = { none, badnets, blend } as const
export type AttackName = keyof typeof attacks
