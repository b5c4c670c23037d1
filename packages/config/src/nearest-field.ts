import { nearestName } from '@kvbm/core'

/** Names of fields elsewhere, in small letters, with what this package calls them. */
const SYNONYMS = new Map([
  ['cancellationtoken', 'signal'],
  ['cancellation_token', 'signal'],
  ['registry', 'metricsRegistry'],
])

/** The known field that `name` most likely meant, by what it is called elsewhere or by its letters. */
export function nearestField(name: string, known: readonly string[]): string | undefined {
  const synonym = SYNONYMS.get(name.toLowerCase())
  return synonym !== undefined && known.includes(synonym) ? synonym : nearestName(name, known)
}
