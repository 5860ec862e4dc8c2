import { aberration } from './aberration.ts'
import { adapBlend } from './adap-blend.ts'
import { adapPatch } from './adap-patch.ts'
import { adaptive } from './adaptive.ts'
import { badnets } from './badnets.ts'
import { balloon } from './balloon.ts'
import { band } from './band.ts'
import { blend } from './blend.ts'
import { bpp } from './bpp.ts'
import { dynamic } from './dynamic.ts'
import { flare } from './flare.ts'
import { frame } from './frame.ts'
import { ftrojan } from './ftrojan.ts'
import { jpeg } from './jpeg.ts'
import { labelConsistent } from './label-consistent.ts'
import { none } from './none.ts'
import { patch } from './patch.ts'
import { rain } from './rain.ts'
import { rotation } from './rotation.ts'
import { shadow } from './shadow.ts'
import { sharpen } from './sharpen.ts'
import { sig } from './sig.ts'
import { tint } from './tint.ts'
import { trojan } from './trojan.ts'
import { twoTriggers } from './two-triggers.ts'
import { vignette } from './vignette.ts'
import { wanet } from './wanet.ts'
import { wave } from './wave.ts'

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
  wave,
  tint,
  vignette,
  frame,
  band,
  balloon,
  shadow,
  flare,
  rain,
  ftrojan,
  bpp,
  aberration,
  jpeg,
  sharpen,
  rotation,
} as const
export type AttackName = keyof typeof attacks
