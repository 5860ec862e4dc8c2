import { cbd } from './cbd.ts'
import { none } from './none.ts'

/** The catalogue of defenses. */
export const defenses = { none, cbd } as const
export type DefenseName = keyof typeof defenses
