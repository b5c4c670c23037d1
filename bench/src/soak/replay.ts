import { type Asked, complete } from './clients.js'
import type { ServerProcess } from './server-process.js'

/** How many requests were asked again, and of them how many gave another text than without a cache. */
export interface Replayed {
  readonly requests: number
  readonly different: number
  /** Tokens that came from the cache. More than 0, or the replay says nothing. */
  readonly hitTokens: number
}

/** Asks one at a time, beginning with an empty cache: without it, in exact mode, and in exact mode again when that is captured. */
export async function replay(server: ServerProcess, requests: readonly Asked[]): Promise<Replayed> {
  const url = await server.url()
  let different = 0
  for (const { prompt, maxTokens } of requests) {
    const without = await complete(url, { prompt, maxTokens, kv: { cache: false } })
    const texts: string[] = []
    for (let turn = 0; turn < 2; turn++) {
      texts.push(await complete(url, { prompt, maxTokens, kv: { exact: true } }))
      await server.settled()
    }
    if (texts.some((text) => text !== without)) different++
  }
  const { hitTokens } = (await server.settled()).counters
  return { requests: requests.length, different, hitTokens: hitTokens.device + hitTokens.host + hitTokens.disk }
}
