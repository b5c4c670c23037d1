import { Random } from './random.js'
import type { TraceRequest } from './trace.js'

/**
 * Multi-turn chats over shared system prompts and documents, shaped after the published statistics of a production chat trace
 * (Mooncake, FAST'25): 512-token blocks, about 24 blocks a request (median 14), 3.4 requests a second, one block shared by all
 * requests, 44 % of requests are continued, the pause before a continuation has a median of 114 seconds, and an infinite cache
 * hits 36–37 % of the blocks.
 */
const STATISTICS = {
  tokensPerBlock: 512,
  requestsPerSecond: 3.4,
  continued: 0.44,
  // Longer than the published median, since long pauses end after the trace does and are never seen.
  pauseMedianMs: 155_000,
  pauseSigma: 1.1,
  ownBlocksMedian: 9.5,
  ownBlocksSigma: 1.4,
  ownBlocksMax: 170,
  turnBlocksMedian: 2,
  turnBlocksSigma: 1.2,
  documents: 40,
  documentBlocksMax: 12,
  withDocument: 0.15,
} as const

interface Chat {
  readonly dueMs: number
  readonly blocks: readonly number[]
}

/** An endless stream of requests; the same seed gives the same stream. */
export function* generateChats(seed: number): Generator<TraceRequest, never, void> {
  const random = new Random(seed)
  const world = new World(random)
  const arrivalMs = 1000 / (STATISTICS.requestsPerSecond * (1 - STATISTICS.continued))
  let nextArrivalMs = 0
  while (true) {
    const chat = world.takeDue(nextArrivalMs)
    const blocks = chat === undefined ? world.newPrompt() : world.nextTurn(chat.blocks)
    const timestamp = Math.round(chat?.dueMs ?? nextArrivalMs)
    if (chat === undefined) nextArrivalMs += random.exponential(arrivalMs)
    if (random.unit() < continuation(blocks.length)) world.continueLater(blocks, timestamp)
    yield {
      timestamp,
      inputLength: blocks.length * STATISTICS.tokensPerBlock,
      outputLength: 1 + random.below(600),
      hashIds: blocks,
    }
  }
}

/** Short prompts are followed up more often than long ones. */
function continuation(blocks: number): number {
  if (blocks <= 4) return 0.76
  return blocks < 24 ? 0.46 : 0.31
}

class World {
  readonly #random: Random
  readonly #systemPrompt: number[]
  readonly #documents: readonly number[][]
  /** Chats that go on later, sorted by time, the next one last. */
  readonly #waiting: Chat[] = []
  #nextId = 0

  constructor(random: Random) {
    this.#random = random
    this.#systemPrompt = this.#freshBlocks(1)
    this.#documents = Array.from({ length: STATISTICS.documents }, () =>
      this.#freshBlocks(1 + random.below(STATISTICS.documentBlocksMax)),
    )
  }

  newPrompt(): number[] {
    const { ownBlocksMedian, ownBlocksSigma, ownBlocksMax, withDocument } = STATISTICS
    const own = Math.min(ownBlocksMax, Math.ceil(this.#random.logNormal(ownBlocksMedian, ownBlocksSigma)))
    const document = this.#random.unit() < withDocument ? this.#document() : []
    return [...this.#systemPrompt, ...document, ...this.#freshBlocks(own)]
  }

  /** The whole chat so far, the model's answer and the new question. The last block was only partly full before, so it changes. */
  nextTurn(blocks: readonly number[]): number[] {
    const added = Math.ceil(this.#random.logNormal(STATISTICS.turnBlocksMedian, STATISTICS.turnBlocksSigma))
    return [...blocks.slice(0, -1), ...this.#freshBlocks(1 + added)]
  }

  continueLater(blocks: readonly number[], nowMs: number): void {
    const dueMs = nowMs + this.#random.logNormal(STATISTICS.pauseMedianMs, STATISTICS.pauseSigma)
    const at = this.#waiting.findLastIndex((chat) => chat.dueMs >= dueMs) + 1
    this.#waiting.splice(at, 0, { dueMs, blocks })
  }

  /** The chat that goes on first, if it does so before `timeMs`. */
  takeDue(timeMs: number): Chat | undefined {
    return (this.#waiting.at(-1)?.dueMs ?? Number.POSITIVE_INFINITY) < timeMs ? this.#waiting.pop() : undefined
  }

  /** Popular documents are asked about more often: rank r with weight about 1 ÷ r. */
  #document(): readonly number[] {
    return this.#documents[Math.floor(STATISTICS.documents ** this.#random.unit()) - 1]!
  }

  #freshBlocks(count: number): number[] {
    return Array.from({ length: count }, () => this.#nextId++)
  }
}
