import type { ChatMessage, GenerateRequest, GenerationEnd, PromptReady, ServedModel } from '@kvbm/connector'
import type { ZodType } from 'zod'
import { chatTokens, type PromptParam, promptTokens } from './prompt-tokens.js'
import {
  type ChatCompletionBody,
  type CompletionBody,
  chatCompletionSchema,
  completionSchema,
} from './request-schemas.js'

/** What a finished or running generation is known by. */
export interface Answer {
  readonly id: string
  /** Seconds since 1970. */
  readonly created: number
  readonly model: string
}

export type Body = ChatCompletionBody | CompletionBody
export type FinishReason = Exclude<GenerationEnd['finishReason'], 'aborted'> | null

/** One of the two ways the API speaks: how a prompt becomes tokens and how text becomes objects. */
export interface Dialect<B extends Body> {
  readonly idPrefix: string
  readonly schema: ZodType<B>
  readonly promptParam: PromptParam
  tokens(body: B, model: ServedModel): Uint32Array
  maxTokens(body: B): number | undefined
  /** Texts that end an answer, beside those that the body names. */
  stops(model: ServedModel): readonly string[]
  whole(answer: Answer, text: string, finish: FinishReason): object
  chunk(answer: Answer, text: string | undefined, finish: FinishReason): object
  /** What a stream begins with, before any text. */
  opening(answer: Answer): object
}

export const chatDialect: Dialect<ChatCompletionBody> = {
  idPrefix: 'chatcmpl-',
  schema: chatCompletionSchema,
  promptParam: 'messages',
  tokens: (body, model) => chatTokens(chatMessages(body.messages), model),
  maxTokens: (body) => body.max_completion_tokens ?? body.max_tokens ?? undefined,
  stops: ({ chatStops = [] }) => chatStops,
  whole: (answer, content, finish) => ({
    ...answer,
    object: 'chat.completion',
    choices: [
      { index: 0, message: { role: 'assistant', content, refusal: null }, logprobs: null, finish_reason: finish },
    ],
  }),
  chunk: (answer, content, finish) => chatChunk(answer, content === undefined ? {} : { content }, finish),
  opening: (answer) => chatChunk(answer, { role: 'assistant', content: '' }, null),
}

export const completionDialect: Dialect<CompletionBody> = {
  idPrefix: 'cmpl-',
  schema: completionSchema,
  promptParam: 'prompt',
  tokens: ({ prompt }, model) => promptTokens(prompt, model),
  maxTokens: (body) => body.max_tokens ?? 16,
  stops: () => [],
  whole: textCompletion,
  chunk: (answer, text, finish) => textCompletion(answer, text ?? '', finish),
  opening: (answer) => textCompletion(answer, '', null),
}

function chatChunk(answer: Answer, delta: object, finish: FinishReason): object {
  return {
    ...answer,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
  }
}

function textCompletion(answer: Answer, text: string, finish: FinishReason): object {
  return { ...answer, object: 'text_completion', choices: [{ index: 0, text, logprobs: null, finish_reason: finish }] }
}

/** Messages with plain text; `developer` is the newer word for `system`. */
export function chatMessages(messages: ChatCompletionBody['messages']): ChatMessage[] {
  return messages.map(({ role, content }) => ({
    role: role === 'developer' ? 'system' : role,
    content: typeof content === 'string' ? content : (content ?? []).map((part) => part.text).join(''),
  }))
}

/** The generation that a body asks for. */
export function generationOf(
  body: Body,
  {
    stops,
    ...options
  }: Pick<GenerateRequest, 'tokens' | 'maxTokens' | 'tenant' | 'signal'> & {
    readonly stops: readonly string[]
  },
): GenerateRequest {
  const own = [body.stop ?? []].flat().filter((text) => text !== '')
  return {
    ...options,
    temperature: body.temperature ?? 1,
    topP: body.top_p ?? undefined,
    seed: body.seed ?? undefined,
    stop: [...own, ...stops],
    cache: body.kv?.cache,
    exact: body.kv?.exact,
  }
}

export function usageOf(prompt: PromptReady, completionTokens: number): object {
  return {
    prompt_tokens: prompt.promptTokens,
    completion_tokens: completionTokens,
    total_tokens: prompt.promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: prompt.cachedTokens },
  }
}

/** Our extension: where the prompt's tokens came from, how long that took, and why not more were cached. */
export function cacheReport({ type: _, timings, ...report }: PromptReady): object {
  return { ...report, ...timings }
}

export function serverTiming({ timings }: PromptReady): string {
  const { waitMs, lookupMs, restoreMs, prefillMs } = timings
  const entries = { wait: waitMs, lookup: lookupMs, restore: restoreMs, prefill: prefillMs }
  return Object.entries(entries)
    .map(([name, ms]) => `${name};dur=${ms.toFixed(1)}`)
    .join(', ')
}
