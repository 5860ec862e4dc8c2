import { resnet } from './resnet.ts'
import { wrn } from './wrn.ts'

/** The catalogue of models. */
export const models = { wrn, resnet } as const
export type ModelName = keyof typeof models
