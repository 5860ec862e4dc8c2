import { adapBlend } from './adap-blend.ts'
import { adapPatch } from './adap-patch.ts'
import { adaptive } from './adaptive.ts'
import { badnets } from './badnets.ts'
import { blend } from './blend.ts'
import { dynamic } from './dynamic.ts'
import { labelConsistent } from './label-consistent.ts'
import { none } from './none.ts'
import { patch } from './patch.ts'
import { sig } from './sig.ts'
import { trojan } from './trojan.ts'
import { twoTriggers } from './two-triggers.ts'
import { wanet } from './wanet.ts'

/** The catalogue of attacks: first those of CBD's paper, in its order. */
export const attacks = {
  none,
  badnets,
  trojan,
  blend,
  sig,
  dynamic,
  wanet,
  adaptive,
  'label-consistent': labelConsistent,
  'adap-blend': adapBlend,
  'adap-patch': adapPatch,
  'two-triggers': twoTriggers,
  patch,
} as const
export type AttackName = keyof typeof attacks
