import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { extname, join } from 'node:path'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { asUserError, UserError } from '../errors.ts'
import { packageRoot } from '../tensor/build.ts'
import { answers } from './api.ts'
import { guard } from './guard.ts'

export interface ServerOptions {
  /** where runs' directories are */
  readonly runs: string
  /** a folder of records, whose grid is shown */
  readonly records?: string | undefined
  /** 0: any that is free */
  readonly port: number
  /** where the built page is */
  readonly page?: string
}

export interface PageServer {
  /** with the token: who has it is let in */
  readonly url: string
  close(): Promise<void>
}

const host = '127.0.0.1'

/** Serves the page to this machine alone, until it is closed. */
export async function startServer({ runs, records, port, page = builtPage() }: ServerOptions): Promise<PageServer> {
  const token = randomBytes(24).toString('base64url')
  const files = pageFiles(page)
  let bound = port
  const app = new Hono()
  app.use(guard({ token, port: () => bound }))
  app.route(`/${token}/api`, answers({ runs, records }))
  app.get(`/${token}/:file{.*}`, (context) => {
    const file = files.get(context.req.param('file') || 'index.html')
    if (!file) return context.text('There is no such page\n', 404)
    return context.body(file.bytes, 200, { 'content-type': file.type })
  })
  app.notFound((context) => context.text('There is no such page\n', 404))
  app.onError((error, context) => {
    const known = asUserError(error)
    return context.json({ error: known?.message ?? `This is a bug in deconfound: ${error.message}` }, known ? 422 : 500)
  })
  const server = await listen(app, port)
  bound = (server.address() as { port: number }).port
  return {
    url: `http://${host}:${bound}/${token}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listen(app: Hono, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname: host, port, overrideGlobalObjects: false }, () =>
      resolve(server),
    ) as Server
    server.on('error', (error: NodeJS.ErrnoException) => reject(explained(error, port)))
  })
}

function explained(error: NodeJS.ErrnoException, port: number): Error {
  const facts: Readonly<Record<string, string>> = {
    EADDRINUSE: 'another program listens there',
    EACCES: 'this user may not listen there',
  }
  const known = facts[error.code ?? '']
  if (!known) return error
  return new UserError('usage', `Cannot show the page at port ${port}: ${known}; give another --port, or none`)
}

/** Beside the compiled server. */
const builtPage = () => join(packageRoot(), 'dist/src/web/page')

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** The files of the built page by their names below it, read once: no request becomes a path. */
function pageFiles(page: string): ReadonlyMap<string, { bytes: Uint8Array<ArrayBuffer>; type: string }> {
  if (!existsSync(join(page, 'index.html'))) {
    throw new UserError('usage', `Cannot show the page: it is not built; give 'npm run build' in the checkout`)
  }
  const names = readdirSync(page, { recursive: true, encoding: 'utf8' }).filter((name) => extname(name) in types)
  return new Map(
    names.map((name) => [
      name.replaceAll('\\', '/'),
      { bytes: Uint8Array.from(readFileSync(join(page, name))), type: types[extname(name)] as string },
    ]),
  )
}
