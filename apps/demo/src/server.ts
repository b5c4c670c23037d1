import type { BlockHashes, TierName } from '@kvbm/core'
import type { Lease, Manager } from '@kvbm/manager'
import { BlockChecker, fillBlock, tokensOf } from './block-content.js'
import { PAGE_SIZE } from './cache.js'
import type { Stages } from './stages.js'
import type { TraceRequest } from './trace.js'

/** What one request got from the cache, in blocks. */
export interface Served {
  readonly seen: number
  readonly hit: number
  readonly byTier: Record<TierName, number>
  readonly verified: number
  readonly wrong: number
  readonly computed: number
}

/** Blocks computed and written at once. */
const COMPUTE_BATCH = 64

/** Plays the inference engine: asks the manager for every block of a prompt, checks what it gets, computes what is missing. */
export class Server {
  readonly #manager: Manager
  readonly #checker: BlockChecker
  readonly #scratch: Uint8Array
  readonly #stages: Stages
  readonly #backlogMax: number

  constructor(manager: Manager, stages: Stages) {
    this.#manager = manager
    this.#stages = stages
    this.#checker = new BlockChecker(manager.blockBytes)
    this.#scratch = new Uint8Array(COMPUTE_BATCH * manager.blockBytes)
    this.#backlogMax = manager.status().settings['offloadQueueMax'] as number
  }

  async serve(request: TraceRequest): Promise<Served> {
    const manager = this.#manager
    const hashes = this.#stages.timed('hash', () => manager.hash(tokensOf(request.hashIds, PAGE_SIZE)))
    const lease = this.#stages.timed('match', () => manager.match(hashes))
    const resident = await this.#stages.timedAsync('onboard', () => manager.onboard(lease))
    const wrong = await this.#stages.timedAsync('verify', () => this.#verify(lease, resident))
    const { computed, release } = await this.#stages.timedAsync('compute', () => this.#compute(hashes, lease.count))
    release()
    resident.release()
    lease.release()
    if (this.#manager.backlog > this.#backlogMax / 2)
      await this.#stages.timedAsync('back-pressure', () => this.#manager.settled())
    return { seen: hashes.count, hit: lease.count, byTier: lease.byTier, verified: lease.count, wrong, computed }
  }

  /** What became resident is compared in place; what found no room above is read from where it lies. */
  async #verify(lease: Lease, resident: Lease): Promise<number> {
    let wrong = 0
    let position = 0
    for (const { tier, blocks } of [...resident.runs, ...below(lease, resident.count)]) {
      if (tier === 'disk') wrong += await this.#verifyRead(blocks)
      else
        for (let index = 0; index < blocks.count; index++)
          wrong += this.#isRight(this.#manager.view(blocks, index), lease.hashes, position + index)
      position += blocks.count
    }
    for (const { blocks } of below(lease, resident.count)) blocks.release()
    return wrong
  }

  async #verifyRead(blocks: Lease['runs'][number]['blocks']): Promise<number> {
    const size = this.#manager.blockBytes
    const bytes = await this.#manager.read(blocks)
    let wrong = blocks.count - bytes.length / size
    for (let index = 0; index * size < bytes.length; index++)
      wrong += this.#isRight(bytes.subarray(index * size, (index + 1) * size), blocks.hashes, index)
    return wrong
  }

  #isRight(bytes: Uint8Array | readonly Uint8Array[], hashes: BlockHashes, index: number): 0 | 1 {
    return this.#checker.isRight(bytes, hashes, index) ? 0 : 1
  }

  /** Computes and registers what the prompt lacks, head first, as far as the first tier has room. */
  async #compute(hashes: BlockHashes, from: number): Promise<{ computed: number; release: () => void }> {
    const kept: Array<{ release(): void }> = []
    let at = from
    while (at < hashes.count) {
      const fresh = this.#manager.firstTier.allocateUpTo(Math.min(COMPUTE_BATCH, hashes.count - at))
      if (fresh.count === 0) break
      const names = hashes.subarray(at, at + fresh.count)
      const size = this.#manager.blockBytes
      for (let index = 0; index < names.count; index++)
        fillBlock(this.#scratch.subarray(index * size, (index + 1) * size), names, index)
      at += fresh.count
      await this.#manager.write(fresh, this.#scratch.subarray(0, names.count * size))
      kept.push(await this.#manager.register(fresh, names))
    }
    return { computed: at - from, release: () => releaseTailFirst(kept) }
  }
}

/** The runs of `lease` after its first `count` blocks. */
function below(lease: Lease, count: number): Array<Lease['runs'][number]> {
  let start = 0
  const runs: Array<Lease['runs'][number]> = []
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

/** The tail of a prompt is to be evicted before its head, so it is released first. */
function releaseTailFirst(runs: ReadonlyArray<{ release(): void }>): void {
  for (let index = runs.length - 1; index >= 0; index--) runs[index]!.release()
}
