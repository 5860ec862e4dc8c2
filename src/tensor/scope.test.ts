import { setImmediate, setTimeout } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { autocast } from './device.ts'
import { arena, keep, scope } from './scope.ts'
import { full, liveTensors, noGrad, operator, parameter, type Tensor, zeros } from './tensor.ts'

const isAlive = (each: Tensor) => {
  try {
    return each.shape.length >= 0
  } catch {
    return false
  }
}

/** How many tensors are left after `body`. */
function leftBy(body: () => void): number {
  const before = liveTensors()
  body()
  return liveTensors() - before
}

describe('scope', () => {
  it('frees everything made inside', () => {
    const left = leftBy(() =>
      scope(() => {
        zeros([3])
          .add(1)
          .mul(zeros([3]))
      }),
    )
    expect(left).toBe(0)
  })

  it('frees all but what it returns: a tensor, an array, a record, any of them inside another', () => {
    const left = leftBy(() =>
      scope(() => {
        const other = zeros([1])
        const one = scope(() => zeros([1]).add(1))
        const many = scope(() => [zeros([1]).add(1), { deep: [zeros([1])] }, 'text', null] as const)
        const record = scope(() => ({ loss: zeros([1]).sum(), same: other }))
        const nothing: unknown = scope(() => undefined)
        expect([one, many[0], many[1].deep[0] as Tensor, record.loss, record.same].every(isAlive)).toBe(true)
        expect(nothing).toBeUndefined()
      }),
    )
    expect(left).toBe(0)
  })

  it('passes what it returns to the scope around it, however deep', () => {
    let escaped: Tensor | undefined
    scope(() => {
      const survivor = scope(() => scope(() => scope(() => zeros([2]).add(5))))
      expect(survivor.numbers()).toEqual([5, 5])
      escaped = survivor
    })
    expect(isAlive(escaped as Tensor)).toBe(false)
  })

  it('leaves tensors of the scope around it alone', () => {
    scope(() => {
      const outer = zeros([1])
      scope(() => outer)
      scope(() => {
        outer.add(1)
      })
      expect(isAlive(outer)).toBe(true)
    })
  })

  it('frees everything when its body throws, and the scope around it works on', () => {
    const left = leftBy(() =>
      scope(() => {
        const outer = zeros([1])
        expect(() =>
          scope(() => {
            zeros([1]).add(1)
            throw new Error('on purpose')
          }),
        ).toThrow('on purpose')
        expect(isAlive(outer)).toBe(true)
        zeros([1])
      }),
    )
    expect(left).toBe(0)
  })

  it('refuses a promise, by type and at run time, and frees what was made', () => {
    const left = leftBy(() => {
      const waits = async () => zeros([1])
      // @ts-expect-error a promise settles after its tensors are gone
      expect(() => scope(waits)).toThrow('A scope cannot wait: its body returned a promise')
    })
    expect(left).toBe(0)
  })

  it('is told from noGrad and autocast, which refuse a promise in the same way and leave no mode behind', () => {
    const waits = async () => zeros([1]).free()
    const fails = async () => {
      throw new Error('on purpose')
    }
    const mode = { device: 'cpu', precision: 'bf16' } as const
    for (const body of [waits, fails]) {
      // @ts-expect-error gradients would be off no more when the body goes on
      expect(() => noGrad(body)).toThrow('noGrad cannot wait: its body returned a promise')
      // @ts-expect-error nor would the precision be the one that was asked for
      expect(() => autocast(mode, body)).toThrow('autocast cannot wait: its body returned a promise')
    }
    scope(() => {
      const weight = parameter(full([2, 2], 1))
      const product = operator('mm')(weight, weight)
      expect([product.requiresGrad, product.dtype]).toEqual([true, 'float32'])
      weight.free()
    })
  })

  it('does not free what is kept', () => {
    const kept = scope(() => keep(zeros([2])))
    const inside = scope(() => {
      const { state } = keep({ state: [zeros([2])] })
      return state
    })
    expect([kept, ...inside].every(isAlive)).toBe(true)
    for (const each of [kept, ...inside]) each.free()
  })

  it('lets a tensor be freed early', () => {
    const left = leftBy(() =>
      scope(() => {
        const early = zeros([1])
        early.free()
        return early
      }),
    )
    expect(left).toBe(0)
  })

  it('leaves no tensor behind after 100,000 operations in one synchronous loop', () => {
    const left = leftBy(() => {
      const sum = keep(zeros([4]))
      for (let i = 0; i < 25_000; i++) {
        scope(() => {
          sum.add_(sum.add(1).mul(0.5).relu())
        })
      }
      sum.free()
    })
    expect(left).toBe(0)
  })
})

describe('arena', () => {
  it('frees what was kept inside, however long it waits', async () => {
    const before = liveTensors()
    await arena(async () => {
      keep(zeros([1]))
      await setImmediate()
      scope(() => keep(zeros([1])))
      zeros([1])
      await setTimeout(1)
      keep(zeros([1]))
    })
    expect(liveTensors()).toBe(before)
  })

  it('keeps what it returns', async () => {
    const before = liveTensors()
    const { weights } = await arena(async () => {
      keep(zeros([1]))
      return { weights: [keep(zeros([2]))] }
    })
    expect(liveTensors()).toBe(before + 1)
    expect(weights.every(isAlive)).toBe(true)
    for (const each of weights) each.free()
  })

  it('passes what it returns to the arena around it', async () => {
    const before = liveTensors()
    await arena(async () => {
      const inner = await arena(async () => keep(zeros([1])))
      expect(isAlive(inner)).toBe(true)
    })
    expect(liveTensors()).toBe(before)
  })

  it('frees what was kept when its body throws', async () => {
    const before = liveTensors()
    const failing = arena(async () => {
      keep(zeros([1]))
      await setImmediate()
      throw new Error('on purpose')
    })
    await expect(failing).rejects.toThrow('on purpose')
    expect(liveTensors()).toBe(before)
  })

  it('looks after its own only, when two run at once', async () => {
    const before = liveTensors()
    const short = arena(async () => {
      keep(zeros([1]))
      await setImmediate()
    })
    const long = arena(async () => {
      const mine = keep(zeros([1]))
      await short
      await setImmediate()
      expect(isAlive(mine)).toBe(true)
      keep(zeros([1]))
    })
    await Promise.all([short, long])
    expect(liveTensors()).toBe(before)
  })
})

describe('a tensor that nothing looks after', () => {
  it('is freed once JavaScript has forgotten it', async () => {
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    const before = liveTensors()
    for (let i = 0; i < 100; i++) zeros([1000])
    expect(liveTensors()).toBe(before + 100)
    for (let i = 0; i < 100 && liveTensors() > before; i++) {
      collectGarbage()
      await setTimeout(10)
    }
    expect(liveTensors()).toBe(before)
  })
})
