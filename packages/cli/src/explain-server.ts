/** A question to a running server. */
export interface ServerQuestion {
  readonly url: string
  readonly key: string | undefined
  /** What it is asked: a prompt or messages, and perhaps a model. */
  readonly question: Readonly<Record<string, unknown>>
}

/** What of a server's answer is shown; there may be more. */
interface Explanation {
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly byTier: Readonly<Record<string, number>>
  readonly reason: string
  readonly message: string
  readonly firstDifference?: { readonly token: number; readonly here: string; readonly before: string }
}

/** Most milliseconds that a server may take: it only looks names up. */
const ANSWER_MS = 30_000

/** Asks `POST /v1/kv/explain`, which takes prompts of any length. Throws what the server complains about, or that it cannot be reached. */
export async function askServer({ url, key, question }: ServerQuestion): Promise<{ data: unknown; text: string }> {
  const address = new URL('/v1/kv/explain', urlOf(url))
  const response = await fetch(address, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key !== undefined && { authorization: `Bearer ${key}` }) },
    body: JSON.stringify(question),
    signal: AbortSignal.timeout(ANSWER_MS),
  }).catch((cause: Error) => {
    throw new Error(`${address.origin} does not answer: ${reasonOf(cause)}. Is the server running there?`, { cause })
  })
  const data: unknown = await response.json().catch(() => undefined)
  if (!response.ok) throw new Error(`${address.origin} refused (${response.status}): ${complaintOf(data)}`)
  return { data, text: shown(data as Explanation) }
}

function urlOf(text: string): URL {
  if (URL.canParse(text) && /^https?:/.test(text)) return new URL(text)
  throw new Error(`--url: expected an address such as http://127.0.0.1:8080, got '${text}'.`)
}

function reasonOf(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : error.message
}

function complaintOf(data: unknown): string {
  const { error } = (data ?? {}) as { error?: { message?: string } }
  return error?.message ?? 'it does not say why. Is it a server of kvbm?'
}

function shown({ promptTokens, cachedTokens, byTier, reason, message, firstDifference }: Explanation): string {
  const tiers = Object.entries(byTier).filter(([, tokens]) => tokens > 0)
  const from = tiers.map(([tier, tokens]) => `${tokens} from ${tier}`).join(', ')
  return [
    `${cachedTokens} of ${promptTokens} tokens are cached${from && ` (${from})`}.`,
    `${reason}: ${message}`,
    ...(firstDifference === undefined
      ? []
      : [
          `First difference at token ${firstDifference.token}:`,
          `  here    ${JSON.stringify(firstDifference.here)}`,
          `  before  ${JSON.stringify(firstDifference.before)}`,
        ]),
  ].join('\n')
}
