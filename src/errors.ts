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
  suspects: 10,
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

/** A UserError as it is, or made of a fault of the machine that any part may meet; undefined for a bug. */
export function asUserError(error: unknown): UserError | undefined {
  if (error instanceof UserError) return error
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new UserError('space', `The disk is full: ${message}; free some space and resume`)
  if (/can't allocate memory|out of memory|allocation failed/i.test(message)) {
    return new UserError('space', `Out of memory: ${message.split('\n')[0]}; use smaller batches (--batch)`)
  }
  if (['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR'].includes(code ?? ''))
    return new UserError('usage', `Cannot read or write a file: ${message}`)
  return undefined
}
