import type { ModelStatus, ServedStatus } from '@kvbm/connector'

/** What everybody may know of a model's cache: whether it works, not how much is in it. */
export function servedStatus({ state, reason, disk, manager }: ModelStatus): ServedStatus {
  const open = Object.entries(manager?.tiers ?? {}).map(
    ([name, tier]) => [name, { state: tier.state, reason: tier.reason }] as const,
  )
  return { cache: state, reason, tiers: { disk, ...Object.fromEntries(open) } }
}
