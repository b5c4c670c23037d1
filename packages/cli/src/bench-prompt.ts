import type { LlamaModel, Token } from 'node-llama-cpp'

/** A prompt of exactly `count` tokens in any model's vocabulary; another seed differs from its first sentence on. */
export function benchPrompt(
  model: LlamaModel,
  { count, seed }: { readonly count: number; readonly seed: number },
): Token[] {
  const tokens: Token[] = []
  for (let sentence = 0; tokens.length < count; sentence++) tokens.push(...model.tokenize(sentenceOf(seed, sentence)))
  return tokens.slice(0, count)
}

function sentenceOf(seed: number, sentence: number): string {
  const [order, price] = [seed * 1000 + sentence, (sentence * 7919 + seed) % 997]
  return `Order ${order} was sent on day ${sentence % 365}, weighs ${price} grams and costs ${price * 3} coins. `
}
