import type { ChatMessage, PromptSpan } from '@kvbm/connector'

/** What a person who waits for an answer notices of it. */
export interface Answer {
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly spans: readonly PromptSpan[]
  /** From sending the request to the first piece of text, in milliseconds. */
  readonly firstTokenMs: number
  readonly text: string
}

interface Chunk {
  readonly kv?: Pick<Answer, 'promptTokens' | 'cachedTokens' | 'spans'>
  readonly choices?: readonly { readonly delta: { readonly content?: string } }[]
  readonly error?: { readonly message: string }
}

/** Asks a server as any client of OpenAI's routes would, with streaming. */
export async function askChat(url: string, messages: readonly ChatMessage[], signal: AbortSignal): Promise<Answer> {
  const started = performance.now()
  const body = JSON.stringify({ messages, stream: true, temperature: 0, max_tokens: 24 })
  const headers = { 'Content-Type': 'application/json' }
  const response = await fetch(new URL('/v1/chat/completions', url), { method: 'POST', headers, body, signal })
  let prompt: Chunk['kv']
  let firstTokenMs = 0
  let text = ''
  for await (const chunk of chunksOf(response)) {
    prompt ??= chunk.kv
    const piece = chunk.choices?.[0]?.delta.content ?? ''
    if (text === '' && piece !== '') firstTokenMs = performance.now() - started
    text += piece
  }
  if (prompt === undefined) throw new Error('The answer does not say where its prompt came from.')
  return { ...prompt, firstTokenMs: firstTokenMs || performance.now() - started, text }
}

/** The objects of an answer that comes as server-sent events. */
async function* chunksOf(response: Response): AsyncGenerator<Chunk, void, void> {
  if (!response.ok) throw new Error(((await response.json()) as Required<Chunk>).error.message)
  let rest = ''
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    const events = (rest + piece).split('\n\n')
    rest = events.pop()!
    for (const event of events) {
      if (!event.startsWith('data: {')) continue
      const chunk: Chunk = JSON.parse(event.slice('data: '.length))
      if (chunk.error !== undefined) throw new Error(chunk.error.message)
      yield chunk
    }
  }
}
