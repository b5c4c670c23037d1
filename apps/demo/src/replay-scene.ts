import type { Manager } from '@kvbm/manager'
import { MultiBar, Presets, type SingleBar } from 'cli-progress'
import type { ReplayOptions } from './options.js'
import { buildReport, newTally, type Report, type Tally } from './report.js'
import { openRequests } from './requests.js'
import { Server } from './server.js'
import { Stages } from './stages.js'

/** Tokens that one block of a trace stands for. */
const TOKENS_PER_BLOCK = 512

/** Serves every request, one at a time, and reports. Stops cleanly between two requests when the signal aborts. */
export async function replay(manager: Manager, options: ReplayOptions, signal: AbortSignal): Promise<Report> {
  const requests = await openRequests(options)
  const stages = new Stages()
  const server = new Server(manager, stages)
  const tally = newTally()
  const everSeen = new Set<number>()
  const progress = new Progress(requests.total)
  const started = performance.now()
  for (const request of requests) {
    if (signal.aborted) break
    const served = await server.serve(request)
    tally.infiniteHit += infiniteHit(request.hashIds, everSeen)
    add(tally, served)
    progress.show(tally)
  }
  await manager.settled()
  progress.end()
  const seconds = (performance.now() - started) / 1000
  return buildReport(tally, manager.status(), stages, {
    seconds,
    interrupted: signal.aborted,
    tokensPerBlock: TOKENS_PER_BLOCK,
  })
}

/** Blocks of the longest prefix that was ever seen before. */
function infiniteHit(hashIds: readonly number[], everSeen: Set<number>): number {
  const firstNew = hashIds.findIndex((id) => !everSeen.has(id))
  for (const id of hashIds) everSeen.add(id)
  return firstNew < 0 ? hashIds.length : firstNew
}

function add(tally: Tally, served: Awaited<ReturnType<Server['serve']>>): void {
  tally.requests++
  for (const field of ['seen', 'hit', 'computed', 'verified', 'wrong'] as const) tally[field] += served[field]
  for (const tier of ['device', 'host', 'disk'] as const) tally.byTier[tier] += served.byTier[tier]
}

/** A bar on a terminal, a plain line every few seconds in a pipe. */
class Progress {
  readonly #total: number | undefined
  readonly #bars: MultiBar | undefined
  readonly #bar: SingleBar | undefined
  #shownAt = performance.now()

  constructor(total: number | undefined) {
    this.#total = total
    if (!process.stderr.isTTY) return
    this.#bars = new MultiBar(
      {
        format: '  {bar} {value}/{total} requests  {note}',
        hideCursor: true,
        clearOnComplete: true,
        stream: process.stderr,
      },
      Presets.shades_classic,
    )
    this.#bar = this.#bars.create(total ?? 1, 0, { note: '' })
  }

  show(tally: Tally): void {
    const now = performance.now()
    if (now - this.#shownAt < (this.#bar === undefined ? 5000 : 100)) return
    this.#shownAt = now
    const note = `${((100 * tally.hit) / tally.seen).toFixed(1)} % of ${tally.seen} blocks from the cache, ${tally.wrong} wrong`
    if (this.#bar === undefined)
      process.stderr.write(
        `  ${tally.requests}${this.#total === undefined ? '' : ` of ${this.#total}`} requests, ${note}\n`,
      )
    else {
      if (this.#total === undefined) this.#bar.setTotal(tally.requests)
      this.#bar.update(tally.requests, { note })
    }
  }

  end(): void {
    this.#bars?.stop()
  }
}
