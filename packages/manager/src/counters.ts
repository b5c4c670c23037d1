import type { TierName } from '@kvbm/core'

/**
 * Why a block did not reach the tier it was offered to. `cancelled` and `deadline`: somebody stopped waiting for the copy, which
 * may still arrive. `degraded`: the target fails, and nothing is copied to it in the background until it works again. `read-only`:
 * another process writes the target.
 */
export type DropReason =
  | 'queue-full'
  | 'target-full'
  | 'source-gone'
  | 'filtered'
  | 'corrupt'
  | 'io-error'
  | 'degraded'
  | 'read-only'
  | 'deadline'
  | 'cancelled'
  | 'closed'

/** A way that copies take, named by its ends: `host-disk`. */
export type Edge = `${TierName}-${TierName}`

/** What one edge has carried since the manager was created. */
export interface EdgeCounters {
  /** Blocks copied, verified and registered in the target tier. */
  blocks: number
  /** Bytes that were copied, those of blocks that did not register included. */
  bytes: number
  /** Copies that succeeded, and the seconds they took together. */
  transfers: number
  seconds: number
  drops: Record<DropReason, number>
}

function newEdge(): EdgeCounters {
  const drops = {
    'queue-full': 0,
    'target-full': 0,
    'source-gone': 0,
    filtered: 0,
    corrupt: 0,
    'io-error': 0,
    degraded: 0,
    'read-only': 0,
    deadline: 0,
    cancelled: 0,
    closed: 0,
  }
  return { blocks: 0, bytes: 0, transfers: 0, seconds: 0, drops }
}

/** Everything the manager counts, as plain numbers that only grow. */
export class Counters {
  /** Blocks asked for by `match`, and found, by the tier that gave them. */
  requested = 0
  readonly matched: Record<TierName, number> = { device: 0, host: 0, disk: 0 }
  /** Blocks whose checksum did not fit, by the tier that held them. */
  readonly corrupt: Record<TierName, number> = { device: 0, host: 0, disk: 0 }
  /** Copies given up on while still running; what they touch stays held until they end. */
  abandoned = 0
  readonly edges = new Map<Edge, EdgeCounters>()

  edge(from: TierName, to: TierName): EdgeCounters {
    const name: Edge = `${from}-${to}`
    let edge = this.edges.get(name)
    if (edge === undefined) {
      edge = newEdge()
      this.edges.set(name, edge)
    }
    return edge
  }

  drop(from: TierName, to: TierName, reason: DropReason, count: number): void {
    this.edge(from, to).drops[reason] += count
  }
}
