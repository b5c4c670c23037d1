/** Characters that are looked at; a longer name is nobody's misspelling. */
const NAME_CHARS_MAX = 64

/** The known name that `name` most likely meant, ignoring case, dashes and underscores, or undefined when none is close. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const wanted = folded(name)
  const ranked = known.map((other) => ({ other, distance: editDistance(wanted, folded(other)) }))
  const best = ranked.sort((a, b) => a.distance - b.distance)[0]
  if (best !== undefined && best.distance <= Math.max(2, Math.floor(wanted.length / 3))) return best.other
  return wanted.length < 4 ? undefined : known.find((other) => folded(other).startsWith(wanted))
}

function folded(name: string): string {
  return name.slice(0, NAME_CHARS_MAX).toLowerCase().replaceAll(/[_-]/g, '')
}

/** Smallest number of inserted, removed or replaced characters that turns `from` into `to`. */
function editDistance(from: string, to: string): number {
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
