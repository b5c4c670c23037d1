import { z } from 'zod'
import { ApiError } from './api-error.js'

const text = z.object({ type: z.literal('text'), text: z.string() })
const message = z.object({
  role: z.enum(['system', 'developer', 'user', 'assistant']),
  content: z.union([z.string(), z.array(text)]),
})

/** What is asked of a generation, in both dialects. What we cannot do is refused by name; what changes nothing is ignored. */
const generation = {
  model: z.string().optional(),
  max_tokens: z.int().min(1).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  seed: z.int().nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(4)]).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().optional() }).nullish(),
  n: z.literal(1).nullish(),
  exact: z.boolean().nullish(),
}

export const chatCompletionSchema = z.object({
  ...generation,
  messages: z.array(message).min(1),
  max_completion_tokens: z.int().min(1).nullish(),
  tools: z.array(z.never()).nullish(),
  logprobs: z.literal(false).nullish(),
})

export const completionSchema = z.object({
  ...generation,
  prompt: z.union([z.string(), z.array(z.int().min(0)).min(1), z.array(z.string()).length(1)]),
  echo: z.literal(false).nullish(),
  logprobs: z.null().optional(),
})

export const promptSchema = z.object({
  model: z.string().optional(),
  messages: z.array(message).min(1).optional(),
  prompt: z.string().optional(),
})

export type ChatCompletionBody = z.output<typeof chatCompletionSchema>
export type CompletionBody = z.output<typeof completionSchema>
export type PromptBody = z.output<typeof promptSchema>

/** The checked body, or a 400 that names the first field that is wrong. */
export function parseBody<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  const param = issue.path.join('.')
  throw new ApiError(400, `${param === '' ? 'body' : param}: ${issue.message}`, { param: param === '' ? null : param })
}
