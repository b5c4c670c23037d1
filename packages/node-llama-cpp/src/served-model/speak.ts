import type { GeneratedText, GenerationEnd } from '@kvbm/connector'
import type { StopFilter } from './stop-filter.js'
import type { TokenText } from './token-text.js'

/** Tokens on their way to text, and what ends them. */
export interface Speech<T> {
  readonly tokens: AsyncIterator<T, void>
  /** The first of them: it was there when the prompt was ready. */
  readonly first: IteratorResult<T, void>
  readonly text: TokenText<T>
  readonly filter: StopFilter
  readonly maxTokens: number
  /** Whether a token ends the answer without being part of it. */
  readonly isStop: (token: T) => boolean
  readonly signal: AbortSignal | undefined
}

/** Pieces of text as they become complete, then the end. */
export async function* speak<T>(speech: Speech<T>): AsyncGenerator<GeneratedText | GenerationEnd, void, void> {
  const { tokens, first, text, filter, maxTokens, isStop, signal } = speech
  let completionTokens = 0
  let unspoken = 0
  let finishReason: GenerationEnd['finishReason'] | undefined
  for (let next = first; finishReason === undefined; ) {
    if (next.done || isStop(next.value)) break
    completionTokens++
    unspoken++
    const piece = filter.push(text.push(next.value))
    if (piece !== '') {
      yield { type: 'text', text: piece, tokens: unspoken }
      unspoken = 0
    }
    finishReason = endOf({ stopped: filter.stopped, full: completionTokens >= maxTokens, aborted: signal?.aborted })
    if (finishReason === undefined) next = await tokens.next()
  }
  const rest = finishReason === 'aborted' ? '' : filter.push(text.end()) + filter.end()
  if (rest !== '') yield { type: 'text', text: rest, tokens: unspoken }
  yield { type: 'end', finishReason: finishReason ?? 'stop', completionTokens }
}

function endOf(is: {
  stopped: boolean
  full: boolean
  aborted: boolean | undefined
}): GenerationEnd['finishReason'] | undefined {
  if (is.aborted) return 'aborted'
  if (is.stopped) return 'stop'
  return is.full ? 'length' : undefined
}
