import type { ChatMessage } from '@kvbm/connector'
import type { ChatHistoryItem, ChatWrapper, LlamaModel, LlamaText, Token } from 'node-llama-cpp'

/** The chat template of a model, as node-llama-cpp finds it in the model's file. */
export class ChatTemplate {
  readonly #wrapper: ChatWrapper
  readonly #model: LlamaModel

  constructor(wrapper: ChatWrapper, model: LlamaModel) {
    this.#wrapper = wrapper
    this.#model = model
  }

  /** The conversation as tokens, the assistant's turn open at its end. Texts of messages never become special tokens. */
  tokenize(messages: readonly ChatMessage[]): Token[] {
    const chatHistory = messages.map(historyItem)
    if (messages.at(-1)?.role !== 'assistant') chatHistory.push(ANSWER)
    return this.#wrapper.generateContextState({ chatHistory }).contextText.tokenize(this.#model.tokenizer)
  }

  /** Tokens that end a turn in this template, beside those that the model's file names. */
  get stopTokens(): ReadonlySet<Token> {
    const triggers = this.#triggers.map((trigger) => trigger.tokenize(this.#model.tokenizer))
    return new Set(triggers.filter(([token, ...more]) => more.length === 0 && this.#model.isSpecialToken(token)).flat())
  }

  /** Texts that end a turn: templates without special tokens mark it so, and models write the special ones as text at times. */
  get stopTexts(): string[] {
    const isText = ({ values }: LlamaText): boolean => values.every((value) => typeof value === 'string')
    return this.#triggers.filter(isText).map(String)
  }

  get #triggers(): readonly LlamaText[] {
    const chatHistory = [historyItem({ role: 'user', content: 'hi' }), ANSWER]
    return this.#wrapper.generateContextState({ chatHistory }).stopGenerationTriggers
  }
}

/** The assistant's turn, open. */
const ANSWER: ChatHistoryItem = { type: 'model', response: [] }

function historyItem({ role, content }: ChatMessage): ChatHistoryItem {
  if (role === 'system') return { type: 'system', text: content }
  return role === 'user' ? { type: 'user', text: content } : { type: 'model', response: [content] }
}
