import { Hono } from 'hono'
import { z } from 'zod'
import { UserError } from '../errors.ts'
import { decisions } from '../experiment/store/decisions.ts'
import { compareRuns } from './compare.ts'
import { decide } from './decisions.ts'
import { readEmbeddings } from './embeddings.ts'
import type { Folders } from './experiments.ts'
import { gridOf } from './grid.ts'
import { quarantine } from './guard.ts'
import { type Pictures, runPictures } from './pictures.ts'
import { describeRun, shownFile } from './run-details.ts'
import { runIndex } from './run-index.ts'
import { readMetricsFrom } from './run-metrics.ts'
import { readSuspects } from './suspects.ts'

const place = z.coerce.number().int().min(0)
const decision = z.strictObject({ rank: z.int().min(1), decision: z.enum(decisions).nullable() })
/** characters of what the page may send */
const longestBody = 1000
/** points that are asked about at once */
const mostPoints = 200

/** What the page asks for. Runs, files and images are named by ids and numbers: no request holds a path. */
export function answers({ runs, records }: Folders): Hono {
  const index = runIndex(runs)
  const picturesOf = keepingLast(runPictures)
  const app = new Hono()

  app.get('/runs', (context) => {
    const { total, version, runs } = index.list(
      asPlace(context.req.query('from') ?? '0'),
      Math.min(200, asPlace(context.req.query('count') ?? '100')),
    )
    const tag = `"${version}"`
    if (context.req.header('if-none-match') === tag) return context.body(null, 304)
    context.header('etag', tag)
    context.header('cache-control', 'no-cache')
    return context.json({ total, version, runs: runs.map(({ line }) => line) })
  })
  app.get('/compare', (context) => {
    const ids = (context.req.query('ids') ?? '').split(',').slice(0, 12)
    return context.json(compareRuns(ids.map(index.get)))
  })
  app.get('/grid', (context) => context.json(gridOf(index, { runs, records })))
  app.get('/runs/:id', (context) => context.json(describeRun(index.get(context.req.param('id')))))
  app.get('/runs/:id/metrics', (context) => {
    const run = index.get(context.req.param('id'))
    return context.json(readMetricsFrom(run, asPlace(context.req.query('from') ?? '0')))
  })
  app.get('/runs/:id/files/:file', (context) => {
    const { bytes, type } = shownFile(index.get(context.req.param('id')), context.req.param('file'))
    return context.body(bytes, 200, { 'content-type': type, 'content-security-policy': quarantine })
  })
  app.get('/runs/:id/embeddings', async (context) =>
    context.json(await readEmbeddings(index.get(context.req.param('id')))),
  )
  app.get('/runs/:id/suspects', (context) => {
    const from = asPlace(context.req.query('from') ?? '0')
    return context.json(readSuspects(index.get(context.req.param('id')), { from, count: 200 }))
  })
  app.post('/runs/:id/decisions', async (context) => {
    const run = index.get(context.req.param('id'))
    const text = await context.req.text()
    const read = decision.safeParse(text.length > longestBody ? null : parsed(text))
    if (!read.success) throw new UserError('usage', 'Cannot record this decision: it is not one of keep, drop, unsure')
    return context.json(decide(run, read.data))
  })
  app.get('/runs/:id/suspects/:rank', async (context) => {
    const pictures = await picturesOf(index.get(context.req.param('id')))
    return picture(pictures.ofRank(asPlace(context.req.param('rank'))))
  })
  app.get('/runs/:id/sample/:point', async (context) => {
    const pictures = await picturesOf(index.get(context.req.param('id')))
    return picture(pictures.ofPoint(asPlace(context.req.param('point'))))
  })
  app.get('/runs/:id/sample', async (context) => {
    const points = (context.req.query('points') ?? '').split(',').slice(0, mostPoints).map(asPlace)
    const pictures = await picturesOf(index.get(context.req.param('id')))
    return context.json(points.map(pictures.factsOfPoint))
  })
  return app
}

function asPlace(given: string): number {
  const read = place.safeParse(given)
  if (!read.success) throw new UserError('usage', 'Cannot answer this: a number is wrong in the address')
  return read.data
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

async function picture(png: Promise<Uint8Array<ArrayBuffer>>): Promise<Response> {
  const headers = { 'content-type': 'image/png', 'cache-control': 'private, max-age=600' }
  return new Response(await png, { headers })
}

/** Keeps what was made of the last run: the images of one data set may fill much of the memory. */
function keepingLast<Run extends { readonly id: string }>(make: (run: Run) => Promise<Pictures>) {
  let last: { id: string; made: Promise<Pictures> } | undefined
  return (run: Run) => {
    if (last?.id !== run.id) {
      last = { id: run.id, made: make(run) }
      const { made } = last
      made.catch(() => {
        if (last?.made === made) last = undefined
      })
    }
    return last.made
  }
}
