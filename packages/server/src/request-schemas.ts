import { z } from 'zod'
import { ApiError } from './api-error.js'

const text = z.object({ type: z.literal('text'), text: z.string() })
const content = z.union([z.string(), z.array(text)])
const message = z.discriminatedUnion(
  'role',
  [
    z.object({ role: z.enum(['system', 'developer', 'user']), content }),
    z.object({ role: z.literal('assistant'), content: content.nullish() }),
  ],
  { error: 'expected one of system, developer, user and assistant. Write what tools gave into one of these.' },
)

const notSupported = { error: 'not supported by this server. Leave it out.' }
const oneAnswer = { error: 'one answer to a request is what this server gives. Ask again for another.' }
const plainText = { error: "expected { type: 'text' }. Ask for JSON in the prompt." }

const onePrompt = {
  error: 'expected a text, an array with one text, or an array of token numbers. Ask again for another prompt.',
}
const notNegative = { error: 'expected a token number, which is 0 or more.' }
const prompt = z.union(
  [z.string(), z.array(z.int().min(0, notNegative)).min(1, onePrompt), z.array(z.string()).length(1, onePrompt)],
  onePrompt,
)

/** Our extension: how the cache is used for this request. */
const kv = z.strictObject({
  /** False: neither looks anything up nor captures. */
  cache: z.boolean().optional(),
  /** True: the bits of a run without cache. */
  exact: z.boolean().optional(),
})

/** What is asked of a generation, in both dialects. What we cannot do is refused by name; what changes nothing is ignored. */
const generation = {
  model: z.string().optional(),
  max_tokens: z.int().min(1).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  seed: z.int().nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(4)]).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().optional() }).nullish(),
  n: z.literal(1, oneAnswer).nullish(),
  frequency_penalty: z.literal(0, notSupported).nullish(),
  presence_penalty: z.literal(0, notSupported).nullish(),
  logit_bias: z.strictObject({}, notSupported).nullish(),
  kv: kv.nullish(),
}

export const chatCompletionSchema = z.object({
  ...generation,
  messages: z.array(message).min(1),
  max_completion_tokens: z.int().min(1).nullish(),
  tools: z.array(z.unknown()).max(0, notSupported).nullish(),
  functions: z.array(z.unknown()).max(0, notSupported).nullish(),
  response_format: z.object({ type: z.literal('text', plainText) }).nullish(),
  logprobs: z.literal(false, notSupported).nullish(),
})

export const completionSchema = z.object({
  ...generation,
  prompt,
  echo: z.literal(false, notSupported).nullish(),
  suffix: z.literal('', notSupported).nullish(),
  best_of: z.literal(1, oneAnswer).nullish(),
  logprobs: z.null(notSupported).optional(),
})

export const promptSchema = z.object({
  model: z.string().optional(),
  messages: z.array(message).min(1).optional(),
  prompt: prompt.optional(),
})

export type ChatCompletionBody = z.output<typeof chatCompletionSchema>
export type CompletionBody = z.output<typeof completionSchema>
/** A prompt as text or as token numbers. */
export type Prompt = CompletionBody['prompt']
export type PromptBody = z.output<typeof promptSchema>

/** The checked body, or a 400 that names the first field that is wrong. */
export function parseBody<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  const param = issue.path.join('.')
  throw new ApiError(400, `${param === '' ? 'body' : param}: ${issue.message}`, { param: param === '' ? null : param })
}
