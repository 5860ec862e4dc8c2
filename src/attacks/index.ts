import { badnets } from './badnets.ts'
import { blend } from './blend.ts'
import { none } from './none.ts'
import { sig } from './sig.ts'
import { wanet } from './wanet.ts'

/** The catalogue of attacks. */
export const attacks = { none, badnets, blend, sig, wanet } as const
export type AttackName = keyof typeof attacks
