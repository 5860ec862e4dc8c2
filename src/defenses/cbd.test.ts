import { describe, expect, it } from 'vitest'
import { resolveConfig } from '../experiment/settings/config.ts'

// The arithmetic of a step of each preset is compared with PyTorch's in test/golden/cbd.test.ts.

describe('a preset of CBD', () => {
  const options = (preset?: string) => resolveConfig({ defense: 'cbd', ...(preset && { preset }) }).options.defense

  it('`paper` is the default, and has all three terms of Eq. 8', () => {
    expect(options()).toEqual(options('paper'))
    const { adversarial, bottleneck, critic } = options('paper') as Record<string, unknown>
    expect([adversarial, bottleneck].every((weight) => (weight as number) > 0)).toBe(true)
    expect(critic).toBe('spectral')
  })

  it('`balanced` is gone, and the error says which there are', () => {
    expect(() => options('balanced')).toThrow(
      "Cannot use preset 'balanced' of defense 'cbd': there is no 'balanced'; use paper, literal, released, released-adversarial",
    )
  })

  it('can be changed option by option', () => {
    const { options } = resolveConfig({
      defense: 'cbd',
      preset: 'released-adversarial',
      'defense.adversarial': 0,
      'defense.batch': 32,
    })
    expect(options.defense).toMatchObject({ adversarial: 0, batch: 32, criticRate: 0.2 })
  })
})
