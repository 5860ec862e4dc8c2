/** The exit codes of the command line. */
export const exitCode = {
  ok: 0,
  bug: 1,
  usage: 2,
  data: 3,
  diverged: 4,
  space: 5,
  locked: 6,
  verification: 7,
  saved: 75,
} as const

export type ExitCode = (typeof exitCode)[keyof typeof exitCode]

/**
 * A mistake or misfortune of the user's, told without a stack: the action, the facts, the remedy.
 * Every other error is a bug of ours.
 */
export class UserError extends Error {
  override readonly name = 'UserError'
  readonly code: ExitCode

  constructor(code: 'usage' | 'data' | 'diverged' | 'space' | 'locked' | 'verification' | 'saved', message: string) {
    super(message)
    this.code = exitCode[code]
  }
}
