import { describe, expect, it } from 'vitest'
import { didYouMean, noSuch } from './did-you-mean.ts'

const names = ['flip', 'rate', 'seed', 'epochs', 'learning-rate', 'weight-decay', 'dataset.size', 'attack.opacity']

describe('the name that was meant', () => {
  it.each([
    ['epoch', 'epochs'],
    ['epcohs', 'epochs'],
    ['sed', 'seed'],
    ['learningRate', 'learning-rate'],
    ['learning_rate', 'learning-rate'],
    ['lr', 'learning-rate'],
    ['wd', 'weight-decay'],
    ['size', 'dataset.size'],
    ['opacty', 'attack.opacity'],
    ['attack.opacty', 'attack.opacity'],
    ['atack.opacity', 'attack.opacity'],
  ])('is told for %s: %s', (given, meant) => expect(didYouMean(given, names)).toBe(`did you mean '${meant}'?`))

  it.each(['', 'x', 'exclude', 'sip', 'fast', 'help-me', '__proto__'])('is not guessed far off: %o', (given) =>
    expect(didYouMean(given, names)).toBe(''),
  )

  it('may be one of several', () => {
    expect(didYouMean('size', [...names, 'attack.size'])).toBe("did you mean 'dataset.size' or 'attack.size'?")
  })
})

it('a value that is none of the choices is told with all of them', () => {
  expect(noSuch('wrm', ['wrn', 'vgg'])).toBe("there is no 'wrm' (did you mean 'wrn'?); use wrn, vgg")
  expect(noSuch('resnet', ['wrn'])).toBe("there is no 'resnet'; use wrn")
})
