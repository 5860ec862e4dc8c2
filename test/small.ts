import type { DefenseName } from '../src/defenses/index.ts'
import type { ModelName } from '../src/models/index.ts'

/** Options that make a model small enough to be tried in a test. */
export const smallModels: Record<ModelName, Record<string, unknown>> = {
  wrn: { depth: 10 },
  resnet: { width: 8 },
  'preact-resnet': { width: 8 },
  vgg: { depth: 11, width: 4, hidden: 16 },
  mobilenet: { width: 0.25 },
  vit: { depth: 3, width: 24 },
  cct: { depth: 3, width: 24 },
}

/** Options that make a defense quick enough to be tried in a test. */
export const quickDefenses: Partial<Record<DefenseName, Record<string, unknown>>> = {
  'fine-pruning': { 'defense.epochs': 2, 'defense.batch': 8 },
  mcr: { 'defense.tuning-epochs': 1, 'defense.epochs': 2, 'defense.batch': 8 },
  nad: { 'defense.teacher-epochs': 1, 'defense.epochs': 2, 'defense.batch': 8 },
  abl: { 'defense.isolation-epochs': 1, 'defense.epochs': 2, 'defense.unlearning-epochs': 1 },
  dbd: {
    'defense.backbone-epochs': 1,
    'defense.backbone-batch': 32,
    'defense.head-epochs': 1,
    'defense.head-batch': 32,
    'defense.epochs': 2,
    'defense.iterations': 2,
    'defense.batch': 8,
  },
  'd-br': { 'defense.first-epochs': 1, 'defense.spread-epochs': 1, 'defense.epochs': 2 },
  cbd: { 'defense.confounder-epochs': 1 },
  deconfound: { 'defense.confounder-epochs': 1, 'defense.judged-images': 200, flip: true }, // both counterparts
}
