import type { KvCache, ServedModel } from '@kvbm/connector'
import { ApiError, type KvServer } from '@kvbm/server'
import { Hono } from 'hono'
import { document, page } from '../assets.js'
import { describeMachine } from '../machine.js'
import { liveTiers } from './live-tiers.js'

/** The page brings everything with it, talks to this server only, and hands its address, which holds the token, to nobody. */
const PAGE_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; connect-src 'self'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
}

export interface DemoParts {
  readonly server: KvServer
  readonly model: ServedModel
  readonly kv: KvCache
  /** Asks whoever started this process to kill it. */
  readonly die: () => void
}

/** The page and what it asks for, beside the server's own routes. All of it needs the token that was printed at the start. */
export function demoRoutes({ server, model, kv, die }: DemoParts): Hono {
  const app = new Hono()
  const started = Date.now()
  const checkToken = (request: Request, token: string | undefined): void => {
    server.access.checkSite(request)
    if (!server.access.holdsControl(token)) throw new ApiError(403, 'Open the address that was printed at the start.')
  }
  app.onError((error) => (error instanceof ApiError ? error : new ApiError(500, error.message)).toResponse())
  app.use('/demo/*', async (c, next) => {
    checkToken(c.req.raw, c.req.header('x-kvbm-token'))
    await next()
  })
  app.get('/', async (c) => {
    checkToken(c.req.raw, c.req.query('token'))
    return c.html(await page(), 200, PAGE_HEADERS)
  })
  app.get('/demo/config', async (c) => {
    const { id, notice } = model
    const { cpu, cores } = describeMachine()
    const facts = {
      model: id,
      notice,
      machine: `${cpu}, ${cores} cores`,
      blockTokens: kv.pageSize,
      document: await document(),
    }
    return c.json({ ...facts, pid: process.pid, started })
  })
  app.get('/demo/tiers', (c) => c.json(liveTiers(kv.status())))
  app.post('/demo/kill', (c) => {
    die()
    return c.json({ pid: process.pid })
  })
  app.all('*', (c) => server.fetch(c.req.raw))
  return app
}
