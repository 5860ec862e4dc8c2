import { cct } from './cct.ts'
import { mobilenet } from './mobilenet.ts'
import { preactResnet } from './preact-resnet.ts'
import { resnet } from './resnet.ts'
import { vgg } from './vgg.ts'
import { vit } from './vit.ts'
import { wrn } from './wrn.ts'

/** The catalogue of models. */
export const models = { wrn, resnet, 'preact-resnet': preactResnet, vgg, mobilenet, vit, cct } as const
export type ModelName = keyof typeof models
