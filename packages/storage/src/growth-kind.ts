/** How the file system gave space, best first. `sparse` reserves nothing: a write may still find the disk full. */
export type GrowthKind = 'allocated' | 'zero-filled' | 'sparse'

const RANK: Readonly<Record<GrowthKind, number>> = { allocated: 0, 'zero-filled': 1, sparse: 2 }

/** A file grown in steps is only as good as its weakest step. */
export function weakerGrowth(before: GrowthKind | undefined, next: GrowthKind): GrowthKind {
  return before !== undefined && RANK[before] > RANK[next] ? before : next
}

/** Why it is not better. */
export function growthNotes(kind: GrowthKind | undefined): readonly string[] {
  if (kind !== 'sparse') return []
  return ['The file system reserves no space: a write may still find the disk full.']
}
