import { type Settled, settled } from './scope.ts'
import type { Tensor } from './tensor.ts'

/** A call of an operator, told while its tensors are alive. */
export interface OperatorCall {
  /** its name in the dispatcher, as in `add.Tensor` */
  readonly name: string
  /** its arguments as they were given, tensors and lists of tensors among them */
  readonly given: readonly unknown[]
  /** what it made; of an operator that works in place, the tensor that it changed */
  readonly made: readonly Tensor[]
}

export type Recorder = (call: OperatorCall) => void

/** Who is told of every call; undefined but within `recording`. */
export let recorder: Recorder | undefined

/** Runs `body` and tells `listener` of every operator that is called in it, one after the other; of its own calls it is not told. */
export function recording<T>(listener: Recorder, body: () => Settled<T>): T {
  const before = recorder
  const hear: Recorder = (call) => {
    recorder = undefined
    listener(call)
    recorder = hear
  }
  recorder = hear
  try {
    return settled(body(), 'recording')
  } finally {
    recorder = before
  }
}
