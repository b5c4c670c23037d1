import type { ChatMessage, ServedModel } from '@kvbm/connector'
import { ApiError } from './api-error.js'
import type { Prompt } from './request-schemas.js'

/** The member of a body that a prompt stands in. */
export type PromptParam = 'messages' | 'prompt'

/**
 * Text averages three to five characters a token. What would need more than this on average to fit is refused by its length: to
 * tokenize it first would hold up every stream of the process.
 */
const CHARACTERS_PER_TOKEN_MAX = 32

/** Throws 400 for a text that is longer than the model's context, and for tokens that the model does not have. */
export function promptTokens(prompt: Prompt, model: ServedModel): Uint32Array {
  if (typeof prompt === 'string') return textTokens(prompt, model)
  return typeof prompt[0] === 'string' ? textTokens(prompt[0], model) : knownTokens(prompt as number[], model)
}

function textTokens(text: string, model: ServedModel): Uint32Array {
  checkCharacters(text.length, model, 'prompt')
  return model.tokenize(text)
}

/** Throws 400 for messages that are longer than the model's context. Each takes a token at least. */
export function chatTokens(messages: readonly ChatMessage[], model: ServedModel): Uint32Array {
  const characters = messages.reduce((sum, { content }) => sum + content.length, 0)
  checkCharacters(characters + messages.length * CHARACTERS_PER_TOKEN_MAX, model, 'messages')
  return model.tokenizeChat(messages)
}

/** Token numbers as they came: an engine must never see one that its model does not have. */
function knownTokens(prompt: readonly number[], { vocabularySize }: ServedModel): Uint32Array {
  const unknown = prompt.find((token) => token >= vocabularySize)
  if (unknown === undefined) return Uint32Array.from(prompt)
  throw new ApiError(400, `prompt: token ${unknown} is not one of this model's ${vocabularySize}.`, { param: 'prompt' })
}

/** Tokens that are left for an answer; throws 400 when there are none, or nothing is asked. */
export function roomAfter(tokens: Uint32Array, { contextTokens }: ServedModel, param: PromptParam): number {
  if (tokens.length === 0) throw new ApiError(400, 'The prompt has no tokens.', { param })
  if (tokens.length >= contextTokens) throw tooLong(`${tokens.length}`, contextTokens, param)
  return contextTokens - tokens.length
}

function checkCharacters(characters: number, { contextTokens }: ServedModel, param: PromptParam): void {
  if (characters > contextTokens * CHARACTERS_PER_TOKEN_MAX)
    throw tooLong(`far more than ${contextTokens}`, contextTokens, param)
}

function tooLong(promptTokens: string, contextTokens: number, param: PromptParam): ApiError {
  return new ApiError(
    400,
    `The prompt has ${promptTokens} tokens; this model takes ${contextTokens} of prompt and answer together. Shorten it.`,
    { code: 'context_length_exceeded', param },
  )
}
