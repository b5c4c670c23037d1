import type { ChatMessage } from '@kvbm/connector'
import colors from 'picocolors'
import { document } from '../assets.js'
import { type Answer, askChat } from './chat-client.js'
import type { ChatServer } from './chat-server.js'
import type { LiveTiers } from './live-tiers.js'

const QUESTION = 'Which of the plans won the vote, and what would it cost?'

/** One question of the scene, and how it was answered. */
export interface Step {
  readonly name: string
  readonly answer: Answer
}

export interface SceneOptions {
  readonly server: ChatServer
  readonly controlToken: string
  readonly stop: AbortSignal
  readonly onStep: (step: Step) => void
}

/** The same question cold and cached, one that shares half of the document, and the first again after a SIGKILL. */
export async function playGuidedScene({ server, controlToken, stop, onStep }: SceneOptions): Promise<Step[]> {
  const text = await document()
  const steps: Step[] = []
  const ask = async (name: string, messages: readonly ChatMessage[]): Promise<void> => {
    const step = { name, answer: await askChat(server.url, messages, stop) }
    steps.push(step)
    onStep(step)
    await captured(server.url, controlToken, stop)
  }
  await ask('a question about a document', conversation(text))
  await ask('the same again', conversation(text))
  await ask('the second half of it differs', conversation(withOtherHalf(text)))
  await server.kill()
  await ask('SIGKILL, restart, the first again', conversation(text))
  return steps
}

function conversation(text: string): ChatMessage[] {
  return [
    { role: 'system', content: text },
    { role: 'user', content: QUESTION },
  ]
}

/** The paragraphs of the second half in reverse order. */
function withOtherHalf(text: string): string {
  const paragraphs = text.split('\n\n')
  const half = Math.ceil(paragraphs.length / 2)
  return [...paragraphs.slice(0, half), ...paragraphs.slice(half).reverse()].join('\n\n')
}

const POLL_MS = 50

/** Waits until everything new is on disk: blocks leave the engine, and then memory, in the background. */
async function captured(url: string, controlToken: string, stop: AbortSignal): Promise<void> {
  const headers = { 'X-Kvbm-Token': controlToken }
  for (;;) {
    const response = await fetch(new URL('/demo/tiers', url), { headers, signal: stop })
    if (!((await response.json()) as LiveTiers).isBusy) return
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

const HEADER = ['', 'prompt', 'cached', 'from', 'first token', '']
/** The first column is written from its left, the last one ends where it likes. */
const WIDTHS = [35, 6, 6, 11, 11, 0] as const

export function formatHeader(): string {
  return colors.dim(row(HEADER))
}

/** One line of the table, held against the first question, which is slow when nothing was cached. */
export function formatStep({ name, answer }: Step, first: Step): string {
  const { promptTokens, cachedTokens, firstTokenMs } = answer
  const times = first.answer.firstTokenMs / firstTokenMs
  const gain = first.answer.cachedTokens === 0 && cachedTokens > 0 ? `${times.toFixed(1)} times sooner` : ''
  return row([
    name,
    String(promptTokens),
    String(cachedTokens),
    sourcesOf(answer),
    `${firstTokenMs.toFixed(0)} ms`,
    gain,
  ])
}

function sourcesOf({ spans }: Answer): string {
  const sources = new Set(spans.map(({ source }) => source).filter((source) => source !== 'computed'))
  return sources.size === 0 ? '–' : [...sources].join('+')
}

function row([name = '', ...cells]: readonly string[]): string {
  const columns = cells.map((cell, index) => `  ${cell.padStart(WIDTHS[index + 1]!)}`)
  return `  ${name.padEnd(WIDTHS[0])}${columns.join('')}`.trimEnd()
}
