import { timingSafeEqual } from 'node:crypto'
import type { Context, MiddlewareHandler } from 'hono'

// Who may ask. The page belongs to whoever can read the terminal: any other program or site on this machine can reach the
// port, and knows no token. A site that gives its name this machine's address (DNS rebinding) shows itself by the Host header.

/** Only the page's own files run, and only this server is talked to. Nobody may frame the page. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ')

/** For files of a run, which may come from a stranger: they are looked at, and run nothing. */
export const quarantine =
  "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** What the page sends with a decision, and no form or link of another site can. */
export const decisionHeader = 'x-deconfound'

/** Lets in who knows the token, by the right name, from this very page; `port` is known once the server listens. */
export function guard({ token, port }: { token: string; port: () => number }): MiddlewareHandler {
  return async (context, next) => {
    const reason = reasonToRefuse(context, { token, port: port() })
    if (reason) context.res = new Response(`${reason}\n`, { status: 403 })
    else await next()
    harden(context.res.headers)
  }
}

function reasonToRefuse({ req }: Context, { token, port }: { token: string; port: number }): string | null {
  const names = [`127.0.0.1:${port}`, `localhost:${port}`]
  const host = req.header('host') ?? ''
  if (!names.includes(host)) return 'This server answers to its own address only'
  const origin = req.header('origin')
  if (origin !== undefined && origin !== `http://${host}`) return 'This server answers to its own page only'
  if (['cross-site', 'same-site'].includes(req.header('sec-fetch-site') ?? ''))
    return 'This server answers to its own page only'
  const [, given = ''] = req.path.split('/')
  if (!isSame(given, token)) return 'The address is not complete: use the one that deconfound ui printed'
  if (req.method === 'GET') return null
  if (req.method !== 'POST' || req.header(decisionHeader) !== 'decision')
    return 'This server takes nothing but decisions'
  return null
}

function isSame(given: string, token: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(token)]
  return one.length === other.length && timingSafeEqual(one, other)
}

function harden(headers: Headers): void {
  if (!headers.has('content-security-policy')) headers.set('content-security-policy', policy)
  headers.set('x-content-type-options', 'nosniff')
  headers.set('referrer-policy', 'no-referrer') // the address holds the token
  headers.set('cross-origin-opener-policy', 'same-origin')
  headers.set('cross-origin-resource-policy', 'same-origin')
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store')
}
