import type { Stateful } from '../nn/module.ts'

/** A truth value that is saved and restored with a stage: false at first. */
export interface Flag extends Stateful {
  value: boolean
}

export function flag(): Flag {
  return {
    value: false,
    tensors: {},
    plain() {
      return this.value
    },
    restore(plain) {
      this.value = plain === true
    },
  }
}
