import { setTimeout as sleep } from 'node:timers/promises'
import type { Token } from 'node-llama-cpp'
import type { PromptSource } from '../engine/prompt-source.js'
import type { ServerProcess } from './server-process.js'

/** One request as it was sent, and its text where it came to its end. */
export interface Asked {
  readonly prompt: readonly Token[]
  readonly maxTokens: number
  readonly text: string
}

/** What became of all requests. */
export interface Tally {
  completed: number
  /** Given up by the client. */
  aborted: number
  /** The server was killed meanwhile. */
  cut: number
  /** Answered with an error. Must be 0. */
  failed: number
  /** Neither answered nor refused within the deadline. Must be 0. */
  stuck: number
}

export interface LoadOptions {
  readonly server: ServerProcess
  readonly source: PromptSource
  readonly clients: number
  readonly seconds: number
  /** Told of what went wrong. */
  readonly onFailure: (sentence: string) => void
}

export interface Load {
  readonly tally: Tally
  readonly completed: readonly Asked[]
}

const DEADLINE_MS = 180_000
const SYSTEM_PROMPTS = 12
const ABORTED_PART = 0.15
const GOES_ON_PART = 0.3
const PROMPT_TOKENS_MAX = 900
/** A rush, in which nobody thinks, then a calm as long, in which captures find their time. */
const RUSH_MS = 10_000
const THINKING_MS = 4000

/** Clients that ask one request after the other: chats over a few system prompts, some go on, some are given up at any moment. */
export async function askForSeconds(options: LoadOptions): Promise<Load> {
  const tally: Tally = { completed: 0, aborted: 0, cut: 0, failed: 0, stuck: 0 }
  const completed: Asked[] = []
  const { source, clients, seconds } = options
  const systems = Array.from({ length: SYSTEM_PROMPTS }, () => source.take(64 + source.below(449)))
  const started = performance.now()
  const end = started + seconds * 1000
  const isRush = (): boolean => Math.floor((performance.now() - started) / RUSH_MS) % 2 === 0
  const client = async (): Promise<void> => {
    let before: readonly Token[] = []
    while (performance.now() < end) {
      const goesOn = before.length > 0 && before.length < PROMPT_TOKENS_MAX && source.chance(GOES_ON_PART)
      const beginning = goesOn ? before : systems[source.below(SYSTEM_PROMPTS)]!
      const prompt = [...beginning, ...source.take(8 + source.below(80))]
      const asked = await askOnce(prompt, options, tally)
      if (asked !== undefined) completed.push(asked)
      before = prompt
      if (!isRush()) await sleep(source.below(THINKING_MS))
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
  return { tally, completed }
}

async function askOnce(prompt: readonly Token[], options: LoadOptions, tally: Tally): Promise<Asked | undefined> {
  const { server, source, onFailure } = options
  const maxTokens = 1 + source.below(16)
  const patience = source.chance(ABORTED_PART) ? source.below(1000) : undefined
  const url = await server.url()
  const gaveUp = new AbortController()
  const timer = setTimeout(() => gaveUp.abort(), patience ?? DEADLINE_MS)
  try {
    const text = await complete(url, { prompt, maxTokens, stream: source.chance(0.5), signal: gaveUp.signal })
    tally.completed++
    return { prompt, maxTokens, text }
  } catch (error) {
    if (gaveUp.signal.aborted) tally[patience === undefined ? 'stuck' : 'aborted']++
    else if (error instanceof Refused) {
      tally.failed++
      onFailure(error.message)
    } else tally.cut++
    return undefined
  } finally {
    clearTimeout(timer)
  }
}

/** The server answered, with an error. */
class Refused extends Error {}

export interface CompletionRequest {
  readonly prompt: readonly Token[]
  readonly maxTokens: number
  readonly stream?: boolean
  readonly kv?: { readonly cache?: boolean; readonly exact?: boolean }
  readonly signal?: AbortSignal
}

/** One greedy completion through OpenAI's route: its text. */
export async function complete(url: string, request: CompletionRequest): Promise<string> {
  const { prompt, maxTokens, stream = false, kv, signal } = request
  const response = await fetch(new URL('/v1/completions', url), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ prompt, max_tokens: maxTokens, temperature: 0, stream, kv }),
    signal: signal ?? null,
  })
  const body = await response.text()
  if (!response.ok) throw new Refused(`${response.status}: ${body}`)
  return stream ? textOfStream(body) : JSON.parse(body).choices[0].text
}

function textOfStream(body: string): string {
  const events = body.split('\n\n').filter((event) => event.startsWith('data: {'))
  const chunks = events.map((event) => JSON.parse(event.slice('data: '.length)))
  const failed = chunks.find(({ error }) => error !== undefined)
  if (failed !== undefined) throw new Refused(failed.error.message)
  if (!body.includes('data: [DONE]')) throw new Error('The stream ended early.')
  return chunks.map(({ choices }) => choices?.[0]?.text ?? '').join('')
}
