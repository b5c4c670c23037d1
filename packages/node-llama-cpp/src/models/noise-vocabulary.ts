import { TOKEN_KINDS, text, u32 } from './llama-metadata.js'
import type { GgufContent } from './write-gguf.js'

const SPECIALS = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'] as const
const BYTES = 256
const CONSONANTS = [...'bcdfghjklmnprstvwxyz']
const VOWELS = [...'aeiou']
/** How the vocabulary spells a space that begins a word. */
const SPACE = 'Ġ'

/** The fewest tokens it has: the specials and one for each byte. */
const NOISE_VOCABULARY_MIN = SPECIALS.length + BYTES

/**
 * A byte-level BPE vocabulary of `size` tokens: every text becomes bytes and comes back as it was. What exceeds the bytes are
 * invented words (" ba", " bad", " bada" …), each the longest beginning of the next, so that a text made of any of them
 * becomes the same tokens again. Chats use the ChatML form.
 */
export function noiseVocabulary(size: number): GgufContent['metadata'] {
  const { words, merges } = inventWords(size - NOISE_VOCABULARY_MIN)
  const tokens = [...SPECIALS, ...byteLetters(), ...words]
  const kinds = tokens.map((_, id) => (id < SPECIALS.length ? TOKEN_KINDS.control : TOKEN_KINDS.normal))
  return [
    ['tokenizer.ggml.model', text('gpt2')],
    ['tokenizer.ggml.pre', text('gpt-2')],
    ['tokenizer.ggml.tokens', { kind: 'texts', value: tokens }],
    ['tokenizer.ggml.token_type', { kind: 'i32s', value: kinds }],
    ['tokenizer.ggml.merges', { kind: 'texts', value: merges }],
    ['tokenizer.ggml.bos_token_id', u32(1)],
    ['tokenizer.ggml.eos_token_id', u32(2)],
    ['tokenizer.ggml.padding_token_id', u32(2)],
    ['tokenizer.ggml.add_bos_token', { kind: 'bool', value: false }],
    ['tokenizer.chat_template', text(CHATML)],
  ]
}

const CHATML = [
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}",
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
].join('')

/** The letter that stands for each byte in a byte-level vocabulary: itself where it is printable, else one from 256 on. */
function byteLetters(): string[] {
  let shifted = BYTES
  return Array.from({ length: BYTES }, (_, byte) => {
    const printable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173)
    return String.fromCodePoint(printable ? byte : shifted++)
  })
}

/** Words breadth first, a letter longer each round, consonants and vowels in turn. */
function inventWords(count: number): { readonly words: string[]; readonly merges: string[] } {
  const words: string[] = []
  const merges: string[] = []
  let stems: readonly string[] = [SPACE]
  for (let round = 0; words.length < count; round++) {
    const letters = round % 2 === 0 ? CONSONANTS : VOWELS
    const grown = stems
      .flatMap((stem) => letters.map((letter) => [stem, letter] as const))
      .slice(0, count - words.length)
    for (const [stem, letter] of grown) {
      words.push(stem + letter)
      merges.push(`${stem} ${letter}`)
    }
    stems = grown.map(([stem, letter]) => stem + letter)
  }
  return { words, merges }
}
