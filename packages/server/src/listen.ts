import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { isLoopback } from './access.js'

/** Where to listen. */
export interface ListenOptions {
  /** Default 0: a free port. */
  readonly port?: number | undefined
  /** Default 127.0.0.1. Others can reach any other address, so that needs an API key. */
  readonly host?: string | undefined
}

/** An open server, and where it is. */
export interface Listening {
  readonly url: string
  readonly port: number
  /** Stops accepting connections, and resolves when the open ones have ended. */
  close(): Promise<void>
  /** Cuts the connections that are still open. */
  cut(): void
}

/** Serves a fetch handler over HTTP. Throws before opening anything when it would be reachable by others without a key. */
export async function listen(
  fetch: (request: Request) => Response | Promise<Response>,
  { port = 0, host = '127.0.0.1' }: ListenOptions,
  hasKeys: boolean,
): Promise<Listening> {
  if (!isLoopback(host) && !hasKeys)
    throw new TypeError(
      `host: ${host} can be reached by others and the server has no API key. Give apiKeys, or listen on 127.0.0.1.`,
    )
  // Not told its name, the adaptor makes none up for requests that give no Host.
  const server = createAdaptorServer({ fetch, overrideGlobalObjects: false }) as Server
  server.listen(port, host)
  await once(server, 'listening').catch((error) => Promise.reject(inWords(error, port)))
  const address = server.address() as AddressInfo
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return {
    url: `http://${name}:${address.port}`,
    port: address.port,
    close: closer(server),
    cut: () => server.closeAllConnections(),
  }
}

/** Keep-alive connections of answers that end while closing are idle then, and nobody else would close them. */
function closer(server: Server): () => Promise<void> {
  let closing = false
  const closeIdle = (): void => void (closing && setImmediate(() => server.closeIdleConnections()))
  server.on('request', (_request, response) => response.once('close', closeIdle))
  return async () => {
    const closed = once(server, 'close')
    closing = true
    server.close()
    closeIdle()
    await closed
  }
}

function inWords(error: NodeJS.ErrnoException, port: number): Error {
  if (error.code !== 'EADDRINUSE') return error
  return new Error(`port: ${port} is in use. Choose another one, or 0 for a free one.`, { cause: error })
}
