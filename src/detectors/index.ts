import { activationClustering } from './activation-clustering.ts'
import { spectralSignatures } from './spectral-signatures.ts'
import { strip } from './strip.ts'

/** The catalogue of detectors. */
export const detectors = {
  'spectral-signatures': spectralSignatures,
  'activation-clustering': activationClustering,
  strip,
} as const
export type DetectorName = keyof typeof detectors
