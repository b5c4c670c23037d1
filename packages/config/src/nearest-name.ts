/** Names of fields elsewhere, written as this package writes them. */
const SYNONYMS: Readonly<Record<string, string>> = { cancellationtoken: 'signal', registry: 'metricsRegistry' }

function folded(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, '')
}

/** Smallest number of inserted, removed or replaced characters that turns `from` into `to`. */
export function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[to.length]!
}

/** The known name that `name` most likely meant, ignoring case and underscores, or undefined when none is close. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const wanted = folded(name.slice(0, 64))
  const synonym = SYNONYMS[wanted]
  if (synonym !== undefined && known.includes(synonym)) return synonym
  const ranked = known.map((other) => ({ other, distance: editDistance(wanted, folded(other)) }))
  const best = ranked.sort((a, b) => a.distance - b.distance)[0]
  if (best !== undefined && best.distance <= Math.max(2, Math.floor(wanted.length / 3))) return best.other
  return wanted.length < 4 ? undefined : known.find((other) => folded(other).startsWith(wanted))
}
