import { wrn } from './wrn.ts'

/** The catalogue of models. */
export const models = { wrn } as const
export type ModelName = keyof typeof models
