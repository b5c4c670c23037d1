import type { ModelStatus, ServedStatus } from '@kvbm/connector'

/** How a model and its cache are: whether they work, not how much is in them. */
export function servedStatus(
  model: ServedStatus['model'],
  { state, reason, disk, manager }: ModelStatus,
): ServedStatus {
  const open = Object.entries(manager?.tiers ?? {}).map(
    ([name, tier]) => [name, { state: tier.state, reason: tier.reason }] as const,
  )
  return { model, cache: state, reason, tiers: { disk, ...Object.fromEntries(open) } }
}
