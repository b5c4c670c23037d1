import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * `silent` accepts connections and never answers; `stalling` sends the first half of a file and no more; `plain` publishes no
 * hashes.
 */
export type HubMood = 'well' | 'silent' | 'stalling' | 'plain'

export interface FakeHub extends AsyncDisposable {
  readonly endpoint: string
  /** Method and path of each request, in order. */
  readonly requests: string[]
  mood: HubMood
  /** Path of a file of which it publishes another hash. */
  liesAbout: string
}

/** A hub on the loopback: files by path, HEAD and ranges, hashes in the header that Hugging Face uses. */
export async function fakeHub(files: Readonly<Record<string, Uint8Array>>): Promise<FakeHub> {
  const requests: string[] = []
  const hub = { mood: 'well' as HubMood, liesAbout: '' }
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    if (hub.mood === 'silent') return
    const path = decodeURIComponent(new URL(request.url!, 'http://hub').pathname)
    const bytes = files[path]
    if (bytes) send({ mood: hub.mood, lie: path === hub.liesAbout }, bytes, request, response)
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  async function close(): Promise<void> {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return Object.assign(hub, { endpoint, requests, [Symbol.asyncDispose]: close })
}

function send(
  { mood, lie }: { readonly mood: HubMood; readonly lie: boolean },
  bytes: Uint8Array,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const digest = createHash('sha256').update(bytes)
  if (lie) digest.update('not this')
  const [, from = '0', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  const end = to === '' ? bytes.length : Number(to) + 1
  const part = bytes.subarray(Number(from), end)
  if (mood !== 'plain') response.setHeader('x-linked-etag', `"${digest.digest('hex')}"`)
  response.setHeader('accept-ranges', 'bytes')
  response.setHeader('content-length', part.length)
  if (request.headers.range) response.setHeader('content-range', `bytes ${from}-${end - 1}/${bytes.length}`)
  response.writeHead(request.headers.range ? 206 : 200)
  if (request.method === 'HEAD') response.end()
  else if (mood === 'stalling') response.write(part.subarray(0, part.length >> 1))
  else response.end(part)
}
