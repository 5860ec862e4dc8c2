import { UserError } from '../errors.ts'
import { tell } from './terminal.ts'

// A signal asks a command to save and stop. Training asks after every batch whether it shall stop, saves, and ends.
// Where nobody asks within a second (images are read, scored, measured), the command is cut off: a file is written whole
// or not at all, so that nothing on the disk is harmed.

/** Milliseconds. */
const patience = 1000

let asked = false
let noticed = false
let hasBegun = false
let cutOff: () => void = () => {
  tell('Stopped on request')
  process.exit(75)
}

/** What a signal does; a second one, while the first is being obeyed, does nothing. */
export function stop(): void {
  if (asked) return
  asked = true
  tell(hasBegun ? 'stopping: saving …' : 'stopping …')
  setTimeout(() => noticed || cutOff(), hasBegun ? patience : 0)
}

/** Told once there is something that the one at work will save. */
export function begun(): void {
  hasBegun = true
}

/** True once the one at work shall save and stop. */
export function interrupted(): boolean {
  noticed ||= asked
  return asked
}

/** Whether a signal is about to end the process, so that what fails now fails because of it. */
export function isCutOff(): boolean {
  return asked && !noticed
}

/** What `body` gives, or a UserError where a signal cuts it off. */
export async function unlessCutOff<T>(body: Promise<T>): Promise<T> {
  const before = cutOff
  const stopped = new Promise<never>((_, reject) => {
    cutOff = () => reject(new UserError('saved', 'Stopped on request'))
  })
  try {
    return await Promise.race([body, stopped])
  } finally {
    cutOff = before
  }
}

/** What `body` gives; meanwhile a signal calls `ask`, and `body` is waited for. */
export async function askingInstead<T>(ask: () => void, body: Promise<T>): Promise<T> {
  const before = cutOff
  cutOff = ask
  try {
    return await body
  } finally {
    cutOff = before
  }
}
