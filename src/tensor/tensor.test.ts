import { describe, expect, it } from 'vitest'
import { device } from '../../test/device.ts'
import { keep, scope } from './scope.ts'
import {
  cat,
  clearGradients,
  type DType,
  full,
  gradients,
  gradientsOf,
  liveTensors,
  noGrad,
  operator,
  parameter,
  tensor,
  tensorFromBytes,
  where,
  zeros,
} from './tensor.ts'

const samples = [
  ['uint8', Uint8Array.of(0, 1, 127, 128, 254, 255)],
  ['int8', Int8Array.of(-128, -1, 0, 1, 126, 127)],
  ['int16', Int16Array.of(-32768, -1, 0, 1, 300, 32767)],
  ['int32', Int32Array.of(-(2 ** 31), -1, 0, 1, 2 ** 24 + 1, 2 ** 31 - 1)],
  ['int64', BigInt64Array.of(-(2n ** 63n), -1n, 0n, 1n, 2n ** 53n + 1n, 2n ** 63n - 1n)],
  ['float32', Float32Array.of(-0, 1.5, Number.NaN, Number.NEGATIVE_INFINITY, 1e-45, 3.4e38)],
  ['float64', Float64Array.of(-0, 0.1, Number.NaN, Number.POSITIVE_INFINITY, 5e-324, 1.7e308)],
] as const

describe('a tensor', () => {
  it.each(samples)('gives back the %s elements it was made of', (dtype, values) => {
    scope(() => {
      const made = tensor(values, [2, 3])
      expect(made.dtype).toBe(dtype)
      expect(made.shape).toEqual([2, 3])
      expect(made.data()).toEqual(values)
      const moved = made.to({ device })
      expect(moved.device).toBe(device)
      expect(moved.data()).toEqual(values)
      expect(tensorFromBytes(made.bytes(), [2, 3], dtype).data()).toEqual(values)
    })
  })

  it('gives back bools and half-precision numbers', () => {
    scope(() => {
      const truths = tensor(Uint8Array.of(1, 0, 1), [3], 'bool')
      expect([truths.dtype, truths.numbers()]).toEqual(['bool', [1, 0, 1]])
      for (const dtype of ['float16', 'bfloat16'] as const) {
        const half = tensor([-2, 0.5, 0, 96], [4], dtype)
        expect(half.dtype).toBe(dtype)
        expect(half.data()).toEqual(Float32Array.of(-2, 0.5, 0, 96))
        expect(half.bytes().length).toBe(8)
        expect(tensorFromBytes(half.bytes(), [4], dtype).numbers()).toEqual([-2, 0.5, 0, 96])
      }
    })
  })

  it('is empty, or a single number, where its shape says so', () => {
    scope(() => {
      expect(tensor([], [0, 3]).data()).toEqual(new Float32Array(0))
      const one = tensor([4.5], [])
      expect([one.shape, one.count, one.item()]).toEqual([[], 1, 4.5])
    })
  })

  it('reads a view in row-major order', () => {
    scope(() => {
      const grid = tensor([0, 1, 2, 3, 4, 5], [2, 3])
      expect(grid.transpose(0, 1).numbers()).toEqual([0, 3, 1, 4, 2, 5])
      expect(grid.narrow(1, 1, 2).numbers()).toEqual([1, 2, 4, 5])
      expect(grid.select(0, 1).numbers()).toEqual([3, 4, 5])
      const image = tensor(
        Float32Array.from({ length: 24 }, (_, i) => i),
        [1, 2, 3, 4],
      )
      expect(image.contiguous('channelsLast').data()).toEqual(image.data())
    })
  })

  it('copies the array it is made of', () => {
    scope(() => {
      const array = Float32Array.of(1, 2)
      const made = tensor(array, [2])
      array[0] = 9
      expect(made.numbers()).toEqual([1, 2])
    })
  })

  it('takes a number for a floating-point scalar and a bigint for an integer', () => {
    scope(() => {
      const integers = tensor(Int32Array.of(1, 2), [2])
      expect(integers.add(1n).dtype).toBe('int32')
      expect(integers.add(1).dtype).toBe('float32')
      expect(full([2], 7n, { dtype: 'int64' }).numbers()).toEqual([7, 7])
    })
  })

  it('returns itself from operators in place', () => {
    scope(() => {
      const sum = zeros([2])
      const before = liveTensors()
      expect(sum.add_(1).mul_(3).fill_(2)).toBe(sum)
      expect(liveTensors()).toBe(before)
      expect(sum.numbers()).toEqual([2, 2])
    })
  })

  it('is chosen from two others elementwise', () => {
    scope(() => {
      const condition = tensor(Uint8Array.of(1, 0), [2], 'bool')
      expect(where(condition, tensor([1, 2], [2]), tensor([3, 4], [2])).numbers()).toEqual([1, 4])
    })
  })
})

describe('an error', () => {
  it('names the operator and the shapes', () => {
    scope(() => {
      const [a, b] = [zeros([2, 3]), zeros([4, 5])]
      expect(() => a.matmul(b)).toThrow(/^Cannot compute matmul of float \[2, 3\], float \[4, 5\]: /)
      expect(() => a.add(b)).toThrow(/^Cannot compute add of float \[2, 3\], float \[4, 5\]: .*must match/)
      expect(() => cat([a, b])).toThrow(/^Cannot compute cat of 2 tensors: /)
      expect(() => a.reshape(7)).toThrow(/^Cannot compute reshape of float \[2, 3\]: .*invalid/)
    })
  })

  it('has no trace of C++ in it', () => {
    scope(() => {
      const a = zeros([2, 3])
      expect(() => a.matmul(a)).toThrow(
        expect.objectContaining({ message: expect.not.stringMatching(/frame #|\.cpp/) }),
      )
    })
  })

  it('says which argument is missing, and when there are too many', () => {
    scope(() => {
      const a = zeros([2, 3])
      expect(() => operator('narrow')(a, 0)).toThrow(
        "Cannot compute narrow of float [2, 3]: argument 'start' is missing",
      )
      expect(() => operator('relu')(a, 1, 2)).toThrow(/relu.*at most 1 arguments/)
    })
  })

  it('tells an operator that does not exist', () => {
    expect(() => operator('no_such_thing')(1)).toThrow("this libtorch has no operator 'no_such_thing'")
  })

  it('tells bytes that do not fit the shape', () => {
    expect(() => tensor([1, 2, 3], [2, 2])).toThrow('its shape takes 16 bytes, the array has 12')
    expect(() => tensorFromBytes(new Uint8Array(3), [1], 'float32')).toThrow('its shape takes 4 bytes, the array has 3')
  })

  it('tells a number asked of many', () => {
    scope(() => expect(() => zeros([2, 2]).item()).toThrow('Cannot read one number: the tensor has 4'))
  })

  it('leaves no tensor behind', () => {
    const before = liveTensors()
    scope(() => {
      const a = zeros([2, 3])
      for (let i = 0; i < 100; i++) expect(() => a.matmul(a)).toThrow()
    })
    expect(liveTensors()).toBe(before)
  })
})

describe('a freed tensor', () => {
  it('says that it was freed, whatever is asked of it', () => {
    const gone = keep(zeros([2]))
    gone.free()
    const freed = /a tensor is used after it was freed/
    expect(() => gone.shape).toThrow(freed)
    expect(() => gone.data()).toThrow(freed)
    expect(() => gone.relu()).toThrow(freed)
    expect(() => gone.backward()).toThrow(freed)
    scope(() => expect(() => zeros([2]).add(gone)).toThrow(freed))
  })

  it('may be freed again', () => {
    const before = liveTensors()
    const gone = keep(zeros([2]))
    for (let i = 0; i < 3; i++) gone.free()
    expect(liveTensors()).toBe(before)
  })

  it('never turns into the one that took its place', () => {
    const gone = keep(tensor([1], [1]))
    gone.free()
    scope(() => {
      const heirs = Array.from({ length: 10 }, () => tensor([2], [1]))
      gone.free()
      expect(() => gone.item()).toThrow('after it was freed')
      expect(heirs.map((heir) => heir.item())).toEqual(heirs.map(() => 2))
    })
  })
})

describe('gradients', () => {
  it('flow backward and add up until they are cleared', () => {
    const leaf = parameter(tensor([1, 2, 3], [3]).to({ device }))
    scope(() => {
      expect(leaf.grad).toBeNull()
      leaf.square().sum().backward()
      expect(leaf.grad?.numbers()).toEqual([2, 4, 6])
      leaf.sum().backward()
      expect(leaf.grad?.numbers()).toEqual([3, 5, 7])
      clearGradients([leaf])
      expect(gradientsOf([leaf])).toEqual([null])
    })
    leaf.free()
  })

  it('can be had without touching the leaves’ own', () => {
    const leaf = parameter(tensor([1, 2, 3], [3]))
    const other = parameter(tensor([4], [1]))
    scope(() => {
      const output = leaf.mul(other).sum()
      const [ofLeaf, ofOther] = gradients(output, [leaf, other])
      expect(ofLeaf?.numbers()).toEqual([4, 4, 4])
      expect(ofOther?.numbers()).toEqual([6])
      expect(gradientsOf([leaf, other])).toEqual([null, null])
    })
    leaf.free()
    other.free()
  })

  it('stop at a detached tensor', () => {
    const leaf = parameter(tensor([3], [1]))
    scope(() => {
      leaf.mul(leaf.detach()).sum().backward()
      expect(leaf.grad?.numbers()).toEqual([3])
      expect(() => leaf.detach().sum().backward()).toThrow()
    })
    leaf.free()
  })

  it('are not recorded inside noGrad, and are again after it, also after an exception', () => {
    const leaf = parameter(tensor([3], [1]))
    scope(() => {
      expect(noGrad(() => leaf.mul(2).requiresGrad)).toBe(false)
      expect(leaf.mul(2).requiresGrad).toBe(true)
      expect(() =>
        noGrad(() => {
          throw new Error('on purpose')
        }),
      ).toThrow('on purpose')
      expect(leaf.mul(2).requiresGrad).toBe(true)
      noGrad(() => {
        noGrad(() => {})
        expect(leaf.mul(2).requiresGrad).toBe(false)
      })
    })
    leaf.free()
  })
})

describe('conversion', () => {
  it('rounds, cuts off and promotes as libtorch does', () => {
    const convert = (values: number[], dtype: DType) =>
      scope(() => tensor(values, [values.length]).to({ dtype }).numbers())
    expect(convert([0, 254.9, 3.5], 'uint8')).toEqual([0, 254, 3])
    expect(convert([-1.9, 1.9], 'int64')).toEqual([-1, 1])
    expect(convert([0, 2, -1], 'bool')).toEqual([0, 1, 1])
    expect(convert([1 + 2 ** -10], 'bfloat16')).toEqual([1])
  })
})
