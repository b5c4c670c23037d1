import { type FlagTable, parseFlags, wholeNumber } from '../flags.js'

/** What the chat is served with. */
export interface ChatOptions {
  /** GGUF file or reference of a model. Undefined: the default model. */
  readonly model: string | undefined
  readonly dir: string | undefined
  /** 0: a free one. */
  readonly port: number
  /** Undefined: physical cores. */
  readonly threads: number | undefined
  /** Play the guided scene. */
  readonly guided: boolean
  /** Serve until Ctrl-C when the scene has ended. */
  readonly stay: boolean
}

export const CHAT_HELP = `Usage: npm run demo -- [chat] [flags]

Serves a real model over HTTP with the cache underneath, and asks it the same things cold, cached, half-shared and after a
SIGKILL. On a terminal it then stays for you to chat with, until Ctrl-C; otherwise it ends after the table.

  --model MODEL      a GGUF file, hf:USER/REPOSITORY:QUANT, or random:llama1b (default: SmolLM2-135M-Instruct, 98 MB)
  --dir DIR          keep the cache here (default: a temporary directory, removed at the end)
  --port N           port on 127.0.0.1 (default: a free one)
  --threads N        threads of the engine (default: physical cores)
  --no-scene         only serve
  --once             end after the scene, also on a terminal
  -h, --help         this text
`

const FLAGS: FlagTable = {
  model: { type: 'string' },
  dir: { type: 'string' },
  port: { type: 'string' },
  threads: { type: 'string' },
  'no-scene': { type: 'boolean' },
  once: { type: 'boolean' },
}

/** Throws `UsageError`. */
export function parseChatOptions(args: readonly string[], isTerminal = process.stdout.isTTY): ChatOptions {
  const flags = parseFlags(args, FLAGS)
  const guided = !flags.has('no-scene')
  return {
    model: flags.get('model'),
    dir: flags.get('dir'),
    port: wholeNumber(flags, 'port', { fallback: 0, least: 0, most: 65_535 }),
    threads: flags.has('threads') ? wholeNumber(flags, 'threads', { fallback: 1, least: 1, most: 256 }) : undefined,
    guided,
    stay: !guided || (isTerminal && !flags.has('once')),
  }
}
