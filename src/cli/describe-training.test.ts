import { describe, expect, it } from 'vitest'
import { exampleResult } from '../../test/example-result.ts'
import type { TrainingResult } from '../experiment/store/schema.ts'
import { describeTraining } from './train.ts'

function training(changes: Partial<TrainingResult>): TrainingResult {
  return {
    version: 2,
    run: 'runs/x',
    data: 'photos',
    defense: 'deconfound',
    preset: 'default',
    model: 'wrn',
    epochs: 15,
    seed: 1,
    classes: ['cat', 'dog'],
    trainingImages: 1623,
    skippedFiles: [],
    heldOutImages: 177,
    heldOutAgreement: 0.6384,
    testImages: 0,
    testAgreement: null,
    suspicion: null,
    files: { model: 'model.safetensors', suspects: 'suspects.csv' },
    modelHash: 'a',
    seconds: 1,
    environment: exampleResult().environment,
    ...changes,
  }
}
const none = { verdict: 'none', flagged: 0, estimatedRate: 0, estimatedTarget: null, remarks: [] } as const
const some = { verdict: 'weak', flagged: 140, estimatedRate: 0.0863, estimatedTarget: 1, remarks: [] } as const

describe('what a person is told of a training', () => {
  it('explains how many held-out labels a good model disagrees with, where images were flagged', () => {
    const text = describeTraining(training({ suspicion: some }))
    expect(text).toMatch(/held-out agreement +63\.84 % of 177 images, whose labels are as untrusted as the rest/)
    expect(text).toContain('if the flagged images are poisoned, about 9 % of these labels are false too')
    for (const suspicion of [none, null, { ...some, verdict: 'not-judged', estimatedRate: null } as const])
      expect(describeTraining(training({ suspicion }))).not.toContain('labels are false too')
  })

  it('gives the command that sets flagged images aside, where there are some', () => {
    const command = /to set them aside +deconfound suspects .*x --move-to FOLDER/
    expect(describeTraining(training({ suspicion: some }))).toMatch(command)
    expect(describeTraining(training({ suspicion: none }))).not.toMatch(command)
  })

  it('says nothing of agreement where no image was held out', () => {
    const text = describeTraining(training({ heldOutImages: 0, heldOutAgreement: null, suspicion: some }))
    expect(text).toMatch(/^images +1623$/m)
    expect(text).not.toMatch(/agreement|–|false too/)
  })

  it('says what could not have been found, and passes on every remark', () => {
    const text = describeTraining(training({ suspicion: { ...none, remarks: ['One thing', 'Another'] } }))
    expect(text).toContain('verdict             none: no poison found; among 1,623 images, fewer than about 20')
    expect(text).toMatch(/^ +One thing\n +Another$/m)
  })
})
