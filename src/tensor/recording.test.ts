import { describe, expect, it } from 'vitest'
import { type OperatorCall, recording } from './recording.ts'
import { scope } from './scope.ts'
import { operator, tensor } from './tensor.ts'

/** What is told of the calls that `body` makes: names, and the shapes of the results. */
function told(body: () => void): unknown[] {
  const calls: unknown[] = []
  const listen = ({ name, made }: OperatorCall) => void calls.push([name, made.map(({ shape }) => shape)])
  scope(() => recording(listen, body))
  return calls
}

describe('a recording', () => {
  it('tells of every operator, in order, with what it made', () => {
    const calls = told(() => {
      const x = tensor([1, 2, 3, 4], [2, 2])
      x.matmul(x).add(1)
      operator('unbind.int')(x, 0)
    })
    expect(calls).toEqual([
      ['matmul', [[2, 2]]],
      ['add.Scalar', [[2, 2]]],
      ['unbind.int', [[2], [2]]],
    ])
  })

  it('tells the very tensors that were given, and of an operator in place the one that it changed', () => {
    scope(() => {
      const [x, y] = [tensor([1], [1]), tensor([2], [1])]
      const calls: OperatorCall[] = []
      const listen = (call: OperatorCall) => void calls.push(call)
      recording(listen, () => void x.add_(y))
      expect(calls[0]?.given.slice(0, 2)).toEqual([x, y])
      expect(calls[0]?.made[0]).toBe(x)
    })
  })

  it('is over after its body, whatever happens there, and tells nothing of what the listener calls', () => {
    const names: string[] = []
    const x = tensor([1], [1])
    const listen = ({ name }: OperatorCall) => {
      names.push(name)
      scope(() => void x.neg())
    }
    const failing = () => {
      scope(() => void x.abs())
      throw new Error('on purpose')
    }
    expect(() => recording(listen, failing)).toThrow('on purpose')
    scope(() => void x.exp())
    x.free()
    expect(names).toEqual(['abs'])
  })
})
