import { abl } from './abl.ts'
import { cbd } from './cbd.ts'
import { dBr } from './d-br.ts'
import { dbd } from './dbd.ts'
import { deconfound } from './deconfound.ts'
import { finePruning } from './fine-pruning.ts'
import { mcr } from './mcr.ts'
import { nad } from './nad.ts'
import { none } from './none.ts'

/** The catalogue of defenses. */
export const defenses = { none, 'fine-pruning': finePruning, mcr, nad, abl, dbd, 'd-br': dBr, cbd, deconfound } as const
export type DefenseName = keyof typeof defenses
