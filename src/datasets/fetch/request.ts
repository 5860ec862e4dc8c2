// One request for a file, as far as its head.
import { UserError } from '../../errors.ts'

/** A fault that may pass: another try may get further. Its message is the reason. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

export interface RequestOptions {
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

const redirections: readonly number[] = [301, 302, 303, 307, 308]
const mostRedirections = 5
/** the server is busy, or we ask too often or too slowly */
const passing: readonly number[] = [408, 425, 429]

/**
 * The answer to a request, of a status of 200, 206 or 416. Redirections are followed within the scheme, so that nobody
 * leads from https to what can be read and changed on the way. UserErrors have a message that is the reason.
 */
export async function request(from: string, options: RequestOptions): Promise<Response> {
  let url = new URL(from)
  for (let hops = 0; hops <= mostRedirections; hops++) {
    const answer = await send(url, options)
    if (redirections.includes(answer.status)) {
      await answer.body?.cancel()
      url = redirected(url, answer.headers.get('location'))
      continue
    }
    if ([200, 206, 416].includes(answer.status)) return answer
    await answer.body?.cancel()
    const reason = `the server answers ${answer.status} ${answer.statusText}`.trimEnd()
    if (answer.status >= 500 || passing.includes(answer.status)) throw new Interrupted(reason)
    throw new UserError('data', reason)
  }
  throw new UserError('data', `it is redirected more than ${mostRedirections} times`)
}

async function send(url: URL, { headers, signal }: RequestOptions): Promise<Response> {
  try {
    return await fetch(url, { redirect: 'manual', signal, headers })
  } catch (error) {
    const { cause } = error as { cause?: NodeJS.ErrnoException }
    // without a network another try is lost time
    if (nowhere.includes(cause?.code ?? '')) throw new UserError('data', reasonOf(error))
    throw new Interrupted(reasonOf(error))
  }
}

const nowhere: readonly string[] = ['ENOTFOUND', 'EAI_AGAIN', 'ENETUNREACH']

function redirected(from: URL, location: string | null): URL {
  const url = location === null || !URL.canParse(location, from.href) ? undefined : new URL(location, from.href)
  if (url === undefined) throw new UserError('data', 'it is redirected to nowhere')
  if (url.protocol !== from.protocol)
    throw new UserError('data', `it is redirected from ${from.protocol}// to ${url.protocol}//, which is not followed`)
  return url
}

/** What went wrong on the network; an error that is no such is a bug and goes on. */
export function reasonOf(error: unknown): string {
  const { name, message, cause } = error as Error & { cause?: NodeJS.ErrnoException }
  if (name === 'AbortError' || name === 'TimeoutError') return 'nothing came for too long'
  if (!(error instanceof TypeError) || cause === undefined) throw error
  return known[cause.code ?? ''] ?? (cause.message || message)
}

const known: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its server is not found: this machine may have no network',
  EAI_AGAIN: 'its server is not found: this machine may have no network',
  ENETUNREACH: 'there is no network',
  ECONNREFUSED: 'its server refuses the connection',
  ECONNRESET: 'the connection broke off',
  UND_ERR_SOCKET: 'the connection broke off',
}
