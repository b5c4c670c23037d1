import type {
  CaptureOutcome,
  CaptureRequest,
  KvBlockSink,
  KvBlockSource,
  KvEngineDriver,
  RestoreRequest,
} from '@kvbm/connector'
import type { BlockScatter, Storage } from '@kvbm/core'
import { blockNames } from './block-names.js'
import { blocksIn } from './blocks-in.js'

/** Who looks at bytes on their way between blocks and engine. A block's name says its whole prefix. */
export interface BlockTap {
  /** Whether the bytes of this block are looked at. */
  wants(name: string): boolean
  /** Bytes that the engine gave, before they become a block. */
  captured(name: string, bytes: Buffer): void
  /** Bytes that lie ready for the engine. */
  restored(name: string, bytes: Buffer): void
}

/** A driver whose bytes are looked at on the way: by their place in the file that the engine itself wrote or is going to read. */
export class TappedDriver<Slot> implements KvEngineDriver<Slot> {
  readonly geometry: KvEngineDriver<Slot>['geometry']
  readonly identity: KvEngineDriver<Slot>['identity']
  readonly capabilities: KvEngineDriver<Slot>['capabilities']
  readonly #driver: KvEngineDriver<Slot>
  readonly #tap: BlockTap

  constructor(driver: KvEngineDriver<Slot>, tap: BlockTap) {
    this.geometry = driver.geometry
    this.identity = driver.identity
    this.capabilities = driver.capabilities
    this.#driver = driver
    this.#tap = tap
  }

  supports(): ReturnType<KvEngineDriver<Slot>['supports']> {
    return this.#driver.supports()
  }

  restore(request: RestoreRequest<Slot>): Promise<number> {
    const names = this.#names(request.tokens)
    const { lend, count, blockBytes } = request.blocks
    const gather = async (pieces: Float64Array, into: Storage): Promise<number> => {
      const sound = await request.blocks.gather(pieces, into)
      const ready = names.slice(0, sound)
      this.#look({ pieces, storage: into, names: ready, blockBytes }, (name, bytes) => this.#tap.restored(name, bytes))
      return sound
    }
    const blocks: KvBlockSource = { lend, count, blockBytes, gather }
    return this.#driver.restore({ ...request, blocks })
  }

  capture(request: CaptureRequest<Slot>): Promise<CaptureOutcome> {
    const { fromBlock, sink } = request
    const inPlace = this.#names(request.tokens).slice(fromBlock, request.toBlock)
    const names = inPlace.filter((_, index) => sink.wanted[index] === 1)
    const watched = (fresh: BlockScatter): BlockScatter => ({
      count: fresh.count,
      blockBytes: fresh.blockBytes,
      scatter: async (pieces, from) => {
        const { blockBytes } = fresh
        this.#look({ pieces, storage: from, names, blockBytes }, (name, bytes) => this.#tap.captured(name, bytes))
        await fresh.scatter(pieces, from)
      },
    })
    const tapped: KvBlockSink = {
      lend: sink.lend,
      wanted: sink.wanted,
      store: (fill) => sink.store((fresh) => fill(watched(fresh))),
    }
    return this.#driver.capture({ ...request, sink: tapped })
  }

  #names(tokens: Uint32Array): string[] {
    return blockNames(tokens, this.geometry.pageSize)
  }

  #look(
    plan: { pieces: Float64Array; storage: Storage; names: readonly string[]; blockBytes: number },
    tell: (name: string, bytes: Buffer) => void,
  ): void {
    const wanted = plan.names.map((name) => this.#tap.wants(name))
    for (const [block, bytes] of blocksIn({ ...plan, wanted })) tell(plan.names[block]!, bytes)
  }
}
