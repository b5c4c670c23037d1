import { type ConfigIssue, TIER_NAMES, type TierName } from '@kvbm/core'
import { blockRoom } from './block-room.js'
import { formatBytes } from './byte-size.js'
import type { ModelConfig } from './model-schema.js'
import type { ResolvedConfig, ResolvedLayout } from './resolved-config.js'
import { bytesPerBlock, modelShape } from './sizing.js'

/** Facts of the machine, found by the caller; a fact that is not given is not judged. Bytes throughout. */
export interface MachineFacts {
  readonly memoryBytes?: number | undefined
  /** How much memory this process may lock. */
  readonly lockLimitBytes?: number | undefined
  /** Memory of the accelerator. Not given: the device tier is taken to lie in `memoryBytes`. */
  readonly deviceMemoryBytes?: number | undefined
  /** Free space where the disk tier lies. */
  readonly diskFreeBytes?: number | undefined
}

type Parts = Omit<ResolvedConfig, 'warnings'>

/** What is allowed but probably not meant. */
export function findWarnings(config: Parts, machine: MachineFacts = {}): readonly ConfigIssue[] {
  const padding = TIER_NAMES.flatMap((tier) => paddingWarnings(tier, config[`${tier}Layout`], config.model))
  return [...machineWarnings(config, machine), ...padding, ...tierWarnings(config), ...modelWarnings(config.model)]
}

function machineWarnings(config: Parts, machine: MachineFacts): ConfigIssue[] {
  const { hostLayout: host, model } = config
  const size = (tier: TierName): number => ownBytes(tier, config[`${tier}Layout`], model)
  const onAccelerator = machine.deviceMemoryBytes !== undefined
  const inMemory = size('host') + (onAccelerator ? 0 : size('device'))
  const pinned = host?.allocator?.kind === 'pinned' ? size('host') : 0
  return [
    ...tooLarge('deviceLayout', size('device'), machine.deviceMemoryBytes, 'the memory of the device'),
    ...tooLarge(
      host === undefined ? 'deviceLayout' : 'hostLayout',
      inMemory,
      machine.memoryBytes,
      'the memory of the machine',
    ),
    ...tooLarge('hostLayout', pinned, machine.lockLimitBytes, 'the memory that this process may lock', LOCK_REMEDY),
    ...tooLarge('diskLayout', size('disk'), machine.diskFreeBytes, 'the free space of the disk'),
  ]
}

const LOCK_REMEDY =
  "Raise the limit (ulimit -l), or take allocator: { kind: 'system' }; pages beyond it are touched, not locked."

function tooLarge(
  path: string,
  wanted: number,
  limit: number | undefined,
  what: string,
  remedy?: string,
): ConfigIssue[] {
  if (limit === undefined || wanted <= limit) return []
  const rule = `at most ${what}, ${formatBytes(limit)} (${formatBytes(wanted)} asked for)`
  return [
    { path, value: wanted, rule, remedy: remedy ?? 'Lower numBlocks or bytes; leave a fifth of it free for others.' },
  ]
}

/** Bytes that a tier will take itself; memory that was handed over exists already. */
function ownBytes(tier: TierName, layout: ResolvedLayout | undefined, model: ModelConfig): number {
  if (layout === undefined || layout.storage !== undefined || layout.logical !== undefined) return 0
  return layout.numBlocks * blockRoom({ tier, ...layout }, modelShape(model))
}

/** An alignment that takes more room than the blocks themselves. */
function paddingWarnings(tier: TierName, layout: ResolvedLayout | undefined, model: ModelConfig): ConfigIssue[] {
  if (layout === undefined) return []
  const bytes = bytesPerBlock(model)
  const room = blockRoom({ tier, ...layout }, modelShape(model))
  if (room <= 2 * bytes) return []
  const rule = `little padding: a block of ${formatBytes(bytes)} takes ${formatBytes(room)}`
  const remedy = 'Lower alignment, or leave it out; raise pageSize for larger blocks.'
  return [{ path: `${tier}Layout.alignment`, value: layout.alignment, rule, remedy }]
}

function tierWarnings(config: Parts): ConfigIssue[] {
  const tiers = TIER_NAMES.filter((tier) => config[`${tier}Layout`] !== undefined)
  const layout = (tier: TierName): ResolvedLayout => config[`${tier}Layout`]!
  const small = tiers
    .slice(1)
    .flatMap((tier, above) => notLarger(tier, layout(tier), tiers[above]!, layout(tiers[above]!)))
  const last = tiers.at(-1)
  return last === undefined ? small : [...small, ...idleFilter(last, layout(last))]
}

function notLarger(tier: TierName, layout: ResolvedLayout, above: TierName, upper: ResolvedLayout): ConfigIssue[] {
  // A disk tier is worth its size at any size: it survives the process.
  if (tier === 'disk' || layout.numBlocks > upper.numBlocks) return []
  const rule = `more blocks than the ${above} tier above it, ${upper.numBlocks}`
  const remedy = `Every block of the ${above} tier is offered to it, so a ${tier} tier that is not larger adds little. Raise it.`
  return [{ path: `${tier}Layout.numBlocks`, value: layout.numBlocks, rule, remedy }]
}

function idleFilter(tier: TierName, layout: ResolvedLayout): ConfigIssue[] {
  if (layout.offloadFilter === undefined) return []
  const rule = `a tier below the ${tier} tier`
  return [
    {
      path: `${tier}Layout.offloadFilter`,
      value: layout.offloadFilter,
      rule,
      remedy: 'Leave it out: nothing is offloaded from the lowest tier.',
    },
  ]
}

function modelWarnings(model: ModelConfig): ConfigIssue[] {
  if (model.hashAlgorithm !== 'xxh3') return []
  const rule = "'sha256' where tenants share a cache"
  const remedy = 'Names of 64 bits that are not cryptographic can be made to collide; keep xxh3 for a single tenant.'
  return [{ path: 'model.hashAlgorithm', value: 'xxh3', rule, remedy }]
}
