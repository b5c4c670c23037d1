import type { BlockHashes, TierName } from '@kvbm/core'
import type { Lease, LeaseRun, Manager, Tier } from '@kvbm/manager'
import { BlockChecker, fillBlock, tokensOf } from './block-content.js'
import { PAGE_SIZE } from './cache.js'
import { StageTimes } from './stage-times.js'
import type { TraceRequest } from './trace.js'

/** What one request got from the cache, in blocks. */
export interface Served {
  readonly seen: number
  readonly hit: number
  readonly byTier: Record<TierName, number>
  readonly verified: number
  readonly wrong: number
  /** Computed, and found room in the first tier. */
  readonly stored: number
}

/** Blocks computed and written at once. */
const COMPUTE_BATCH = 64

/** Stands in for an inference engine: takes what is cached of a prompt, checks every byte of it, computes what is missing. */
export class StandInEngine {
  readonly times = new StageTimes()
  readonly #manager: Manager
  readonly #checker: BlockChecker
  readonly #scratch: Uint8Array
  readonly #backlogMax: number

  constructor(manager: Manager) {
    this.#manager = manager
    this.#checker = new BlockChecker(manager.blockBytes)
    this.#scratch = new Uint8Array(COMPUTE_BATCH * manager.blockBytes)
    this.#backlogMax = backlogMax(manager)
  }

  async serve(request: TraceRequest): Promise<Served> {
    const tokens = tokensOf(request.hashIds, PAGE_SIZE)
    const served = await this.times.timedAsync('whole request', () => this.#serve(tokens))
    if (this.#manager.backlog > this.#backlogMax)
      await this.times.timedAsync('wait for offload', () => this.#manager.settled())
    return served
  }

  async #serve(tokens: Uint32Array): Promise<Served> {
    const { times } = this
    const manager = this.#manager
    const hashes = times.timed('hash', () => manager.hash(tokens))
    using lease = times.timed('match', () => manager.match(hashes))
    using resident = await times.timedAsync('onboard', () => manager.onboard(lease))
    const wrong = await times.timedAsync('verify', () => this.#countWrong(lease, resident))
    using computed = await times.timedAsync('compute', () => this.#compute(hashes.subarray(lease.count)))
    const { count: hit, byTier } = lease
    return { seen: hashes.count, hit, byTier, verified: hit, wrong, stored: computed.count }
  }

  /** What became resident is compared in place; what found no room above is read from where it lies. */
  async #countWrong(lease: Lease, resident: Lease): Promise<number> {
    let wrong = 0
    for (const run of resident.runs) wrong += await this.#countWrongOf(run)
    for (const run of runsAfter(lease, resident.count)) {
      using _blocks = run.blocks
      wrong += await this.#countWrongOf(run)
    }
    return wrong
  }

  /** A block that does not come back at all, because the manager found it damaged, is wrong, too. */
  async #countWrongOf({ tier, blocks }: LeaseRun): Promise<number> {
    const size = this.#manager.blockBytes
    const bytes = tier === 'disk' ? await this.#manager.read(blocks) : undefined
    let wrong = 0
    for (let index = 0; index < blocks.count; index++) {
      const block = bytes?.subarray(index * size, (index + 1) * size) ?? this.#manager.view(blocks, index)
      if (!this.#checker.isRight(block, blocks.hashes, index)) wrong++
    }
    return wrong
  }

  /** Computes and registers blocks, head first, as far as the first tier has room. Disposing releases the tail before the head. */
  async #compute(missing: BlockHashes): Promise<Disposable & { readonly count: number }> {
    const kept: Disposable[] = []
    let count = 0
    while (count < missing.count) {
      const fresh = await this.#allocate(Math.min(COMPUTE_BATCH, missing.count - count))
      if (fresh.count === 0) break
      const names = missing.subarray(count, count + fresh.count)
      await this.#manager.write(fresh, this.#bytesOf(names))
      kept.push(await this.#manager.register(fresh, names))
      count += names.count
    }
    const releaseTailFirst = (): void => {
      for (const blocks of kept.toReversed()) blocks[Symbol.dispose]()
    }
    return { count, [Symbol.dispose]: releaseTailFirst }
  }

  /** Copies on their way down hold their blocks. What else is held belongs to this request: a longer one keeps its head. */
  async #allocate(countMax: number): Promise<ReturnType<Tier['allocateUpTo']>> {
    const fresh = this.#manager.firstTier.allocateUpTo(countMax)
    if (fresh.count > 0) return fresh
    await this.#manager.settled()
    return this.#manager.firstTier.allocateUpTo(countMax)
  }

  #bytesOf(names: BlockHashes): Uint8Array {
    const size = this.#manager.blockBytes
    for (let index = 0; index < names.count; index++)
      fillBlock(this.#scratch.subarray(index * size, (index + 1) * size), names, index)
    return this.#scratch.subarray(0, names.count * size)
  }
}

/** A block that waits for its copy is lost to the tier below if it is evicted before: at most half of a tier may wait. */
function backlogMax(manager: Manager): number {
  const { tiers, settings } = manager.status()
  const inMemory = [tiers.device, tiers.host].map((tier) => tier?.blocks.total ?? Number.POSITIVE_INFINITY)
  return Math.min(settings.offloadQueueMax as number, ...inMemory) / 2
}

/** The runs of `lease` after its first `count` blocks, as handles of their own. */
function runsAfter(lease: Lease, count: number): LeaseRun[] {
  let start = 0
  const runs: LeaseRun[] = []
  for (const { tier, blocks } of lease.runs) {
    const skip = Math.min(Math.max(count - start, 0), blocks.count)
    start += blocks.count
    if (skip === blocks.count) continue
    const [before, rest] = blocks.retain().split(skip)
    before.release()
    runs.push({ tier, blocks: rest })
  }
  return runs
}
