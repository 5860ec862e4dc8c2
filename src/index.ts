// The public surface: everything a program may rely on, in one list.
export type { AttackEntry, AttackerView, Crafted } from './attacks/attack.ts'
export { defineAttack } from './attacks/attack.ts'
export { attacks } from './attacks/index.ts'
export type { Dataset, DatasetEntry } from './datasets/dataset.ts'
export { defineDataset } from './datasets/dataset.ts'
export { datasets } from './datasets/index.ts'
export type { Defended, DefenderView, DefenseEntry } from './defenses/defense.ts'
export { defineDefense } from './defenses/defense.ts'
export { defenses } from './defenses/index.ts'
export type { DetectorEntry, DetectorView } from './detectors/detector.ts'
export { defineDetector } from './detectors/detector.ts'
export { detectors } from './detectors/index.ts'
export { UserError } from './errors.ts'
export {
  audit,
  classify,
  detect,
  evaluate,
  exportModel,
  type Options,
  poisonData,
  preview,
  repair,
  resume,
  run,
  train,
} from './experiment/api.ts'
export type { ExportedFile, ExportFormat } from './experiment/export-model.ts'
export type { DetectionResult, GivenDetection } from './experiment/measure/detect.ts'
export { type Cell, type Figures, type Summary, summarize } from './experiment/measure/summary.ts'
export type { PoisonDataResult } from './experiment/poison-data.ts'
export { poison, triggered } from './experiment/prepare/poison.ts'
export type { Config } from './experiment/settings/config.ts'
export { parseConfigFile, resolveConfig } from './experiment/settings/config.ts'
export type { GivenRepair, GivenSettings, GivenTraining } from './experiment/settings/given.ts'
export { loadModel, type ModelDescription, saveModel } from './experiment/store/saved-model.ts'
export type { AuditResult, ExperimentResult, RepairResult, TrainingResult } from './experiment/store/schema.ts'
export { parseSweep, type Sweep } from './experiment/store/sweep-file.ts'
export { runSweep, type SweepResult } from './experiment/sweep.ts'
export { models } from './models/index.ts'
export type { Learning, ModelEntry } from './models/model.ts'
export { defineModel } from './models/model.ts'
export { adam } from './nn/adam.ts'
export { batchNorm } from './nn/batch-norm.ts'
export type { Classifier, Output } from './nn/classifier.ts'
export { classifierOf } from './nn/classifier.ts'
export { conv } from './nn/conv.ts'
export { linear } from './nn/linear.ts'
export { accuracy, crossEntropy, crossEntropyEach, generalizedCrossEntropyEach } from './nn/losses.ts'
export { stateOf } from './nn/module.ts'
export { oneCycle, schedules, steps } from './nn/schedule.ts'
export { sgd } from './nn/sgd.ts'
export { spectralNorm } from './nn/spectral-norm.ts'
export { autocast, type Compute, planCompute, synchronize, useThreads } from './tensor/device.ts'
export { keepFreedMemory } from './tensor/native.ts'
export { Random } from './tensor/random.ts'
export { formatSafetensors, parseSafetensors } from './tensor/safetensors.ts'
export { arena, keep, scope } from './tensor/scope.ts'
export {
  cat,
  full,
  liveTensors,
  noGrad,
  operator,
  parameter,
  stack,
  Tensor,
  tensor,
  where,
  zeros,
} from './tensor/tensor.ts'
export { type ImageSet, imageSet, subset } from './training/images.ts'
export { loader } from './training/loader.ts'
export { optimizerOf } from './training/optimizer-of.ts'
export { predict, scoreEach } from './training/predict.ts'
export type { Suspicion } from './training/suspicion.ts'
export type { Recipe, TrainingContext } from './training/training-context.ts'
