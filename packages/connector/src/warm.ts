import type { BlockHashes } from '@kvbm/core'
import type { Lease, Manager } from '@kvbm/manager'

/** What `warm` found and moved, in tokens. */
export interface Warmed {
  /** Tokens of the prefix that are in memory now. */
  readonly tokens: number
  /** Of these, tokens that were on disk only. */
  readonly fromDisk: number
  /** Tokens that were copied to disk by this call. */
  readonly persisted: number
}

/** Disk → host for what is not in memory, host → disk for what is not on disk. Rejects with storage errors or the signal's reason. */
export async function warmPrefix(manager: Manager, hashes: BlockHashes, signal?: AbortSignal): Promise<Warmed> {
  const lease = manager.match(hashes)
  try {
    return await warmLease(manager, lease, signal)
  } finally {
    lease.release()
  }
}

async function warmLease(manager: Manager, lease: Lease, signal: AbortSignal | undefined): Promise<Warmed> {
  const { pageSize } = lease.hashes
  const resident = await manager.onboard(lease, { to: manager.firstTier.name, signal })
  try {
    const persisted = await persist(manager, resident, signal)
    const fromDisk = Math.min(lease.byTier.disk * pageSize, resident.tokens)
    return { tokens: resident.tokens, fromDisk, persisted: persisted * pageSize }
  } finally {
    resident.release()
  }
}

async function persist(manager: Manager, { runs }: Lease, signal: AbortSignal | undefined): Promise<number> {
  if (!manager.tiers.includes('disk')) return 0
  let copied = 0
  for (const { blocks } of runs) copied += (await manager.offload(blocks, { to: 'disk', signal })).copied
  return copied
}
