import type { ChatMessage } from '@kvbm/connector'
import type { ChatHistoryItem, ChatWrapper, LlamaModel, Token } from 'node-llama-cpp'

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
    if (messages.at(-1)?.role !== 'assistant') chatHistory.push({ type: 'model', response: [] })
    return this.#wrapper.generateContextState({ chatHistory }).contextText.tokenize(this.#model.tokenizer)
  }

  /** Tokens that end a turn in this template, beside those that the model's file names. */
  get stopTokens(): ReadonlySet<Token> {
    const chatHistory: ChatHistoryItem[] = [
      { type: 'user', text: 'hi' },
      { type: 'model', response: [] },
    ]
    const { stopGenerationTriggers } = this.#wrapper.generateContextState({ chatHistory })
    const triggers = stopGenerationTriggers.map((trigger) => trigger.tokenize(this.#model.tokenizer))
    return new Set(triggers.filter(([token, ...more]) => more.length === 0 && this.#model.isSpecialToken(token)).flat())
  }
}

function historyItem({ role, content }: ChatMessage): ChatHistoryItem {
  if (role === 'system') return { type: 'system', text: content }
  return role === 'user' ? { type: 'user', text: content } : { type: 'model', response: [content] }
}
