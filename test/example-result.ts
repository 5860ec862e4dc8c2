import type { ExperimentResult, PlainFigures } from '../src/experiment/store/schema.ts'

type Changes = Omit<Partial<ExperimentResult>, 'reference' | 'backdoored' | 'suspicion' | 'environment'> & {
  readonly reference?: Partial<PlainFigures> | null
  readonly backdoored?: Partial<PlainFigures> | null
  readonly suspicion?: Partial<ExperimentResult['suspicion']> | null
  readonly environment?: Partial<ExperimentResult['environment']>
}

/** A complete result of an experiment that nobody ran, with these changes. */
export function exampleResult({
  reference,
  backdoored,
  suspicion,
  environment,
  ...changes
}: Changes = {}): ExperimentResult {
  const figures = { cleanAccuracy: 0.9, attackSuccessRate: null, collapsed: false, seconds: null }
  return {
    version: 2,
    run: 'runs/x',
    dataset: 'signs',
    attack: 'badnets',
    defense: 'none',
    preset: 'default',
    model: 'wrn',
    epochs: 15,
    seed: 1,
    target: 0,
    rate: 0.1,
    classRate: null,
    labelling: 'all-to-one',
    attackOptions: {},
    attackReport: {},
    poisonedImages: 10,
    coverImages: 0,
    poisonHash: 'a',
    trigger: 'b',
    skippedFiles: [],
    cleanImagesGiven: 0,
    cleanAccuracy: 0.9,
    cleanAccuracyPerClass: [0.9],
    attackSuccessRate: null,
    attackSuccessRateOf: {},
    recoveredAccuracy: null,
    cleanImages: 100,
    triggeredImages: 90,
    collapsed: false,
    excessSuccessRate: null,
    modelHash: 'c',
    trainingSeconds: 10,
    seconds: 20,
    resumed: false,
    ...changes,
    suspicion: suspicion
      ? {
          verdict: 'found',
          flagged: 10,
          estimatedRate: 0.1,
          estimatedTarget: 0,
          remarks: [],
          auroc: null,
          aurocRelabelled: null,
          truePositiveRate: null,
          falsePositiveRate: null,
          ...suspicion,
        }
      : null,
    backdoored: backdoored ? { ...figures, ...backdoored } : null,
    reference: reference ? { ...figures, ...reference } : null,
    environment: {
      device: 'cpu',
      precision: 'fp32',
      threads: 1,
      engine: 2,
      libtorch: '1.13.1',
      processor: 'a processor',
      deconfound: '0.1.0',
      commit: null,
      trainHash: 'd',
      testHash: 'e',
      ...environment,
    },
  }
}
