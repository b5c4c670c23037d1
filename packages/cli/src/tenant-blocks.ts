import { type ModelConfig, modelSalt } from '@kvbm/config'
import { PackedHashes } from '@kvbm/core'
import type { SlotTable } from '@kvbm/storage'
import { rootHash } from '@kvbm/tokens'

/** Whose prompts. A disk knows no tenants; but the first block of every prompt names the hash of its salt as its parent. */
export interface Owner {
  readonly tenant: string
  /** Adapters that the tenant's prompts may have used together. */
  readonly loras: readonly string[]
}

/** Rows of a table, told apart by whose they are. */
export interface TenantBlocks {
  readonly own: readonly number[]
  /** The beginning of their prompt is not there any more, so nobody can tell whose they are; no prompt finds them either. */
  readonly orphans: readonly number[]
  readonly others: readonly number[]
}

/** The roots of everything that a tenant may have asked: with and without its adapters, in exact mode and not. */
export function tenantRoots(model: ModelConfig, { tenant, loras }: Owner): ReadonlySet<string> {
  const salts = [[], loras].flatMap((used) =>
    [[], ['exact']].map((flags) => modelSalt(model, { tenant, loras: used, flags })),
  )
  return new Set(salts.map((salt) => new PackedHashes(rootHash({ salt, pageSize: model.pageSize })).hex(0)))
}

/**
 * Follows every block to the root of its prompt. Invariant: a block is a tenant's exactly if the chain of its parents ends in one of
 * the tenant's roots, since each hash is made of its parent's.
 */
export function tenantBlocks({ records }: SlotTable, roots: ReadonlySet<string>): TenantBlocks {
  const hashes = new PackedHashes(records.hashes)
  const parents = new PackedHashes(records.parents)
  const rootOf = new Map<string, string>()
  const rows = [...records.slots.keys()]
  for (const row of rows.sort((a, b) => records.positions[a]! - records.positions[b]!)) {
    const root = records.positions[row] === 0 ? parents.hex(row) : rootOf.get(parents.hex(row))
    if (root !== undefined) rootOf.set(hashes.hex(row), root)
  }
  const found = { own: [] as number[], orphans: [] as number[], others: [] as number[] }
  for (const row of rows) {
    const root = rootOf.get(hashes.hex(row))
    if (root === undefined) found.orphans.push(row)
    else if (roots.has(root)) found.own.push(row)
    else found.others.push(row)
  }
  return found
}
