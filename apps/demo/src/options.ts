import { parseArgs } from 'node:util'

export interface ReplayOptions {
  readonly trace: string | undefined
  readonly json: string | undefined
  readonly dir: string | undefined
  readonly seed: number
  readonly requests: number
  readonly deviceBlocks: number
  readonly hostBlocks: number
  readonly diskBlocks: number
  readonly blockBytes: number
  readonly crash: boolean
}

export const REPLAY_HELP = `Usage: npm run demo -- replay [flags]

Serves a stream of LLM requests through a KV block manager: hash the prompt, match it over the tiers, bring up what is cached,
compute the rest, register, offload, release. Every byte that comes back from any tier is compared with what it must be.

  --trace FILE         requests in Mooncake's JSONL format, plain or gzip (default: a seeded generator of multi-turn chats)
  --requests N         how many requests (default: 4000 generated ones, or the whole trace)
  --seed N             seed of the generator (default 1)
  --device-blocks N    blocks of the device tier, 0 = no such tier (default 1500)
  --host-blocks N      blocks of the host tier, 0 = no such tier (default 5000)
  --disk-blocks N      blocks of the disk tier, 0 = no such tier (default 20000)
  --block-bytes N      bytes of one block, a multiple of 4096 (default 65536)
  --dir DIR            where the disk tier lives (default: a temporary directory, removed at the end)
  --json FILE          write the report as data, too
  --no-crash           leave out the scene in which a process is killed and its disk tier survives
  --help               this text
`

/** A flag that cannot be used; the message names it, the value and the remedy. */
export class UsageError extends Error {}

const FLAGS = {
  trace: { type: 'string' },
  json: { type: 'string' },
  dir: { type: 'string' },
  seed: { type: 'string' },
  requests: { type: 'string' },
  'device-blocks': { type: 'string' },
  'host-blocks': { type: 'string' },
  'disk-blocks': { type: 'string' },
  'block-bytes': { type: 'string' },
  'no-crash': { type: 'boolean' },
  help: { type: 'boolean' },
} as const

function wholeNumber(flag: string, text: string | undefined, fallback: number, atLeast: number): number {
  if (text === undefined) return fallback
  const value = Number(text)
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < atLeast) {
    throw new UsageError(`--${flag}: expected a whole number of at least ${atLeast}, got '${text}'. See --help.`)
  }
  return value
}

/** Flags of the replay scene; undefined when help was asked for. Throws `UsageError`. */
export function parseReplayOptions(args: readonly string[]): ReplayOptions | undefined {
  const values = parseFlags(args)
  if (values.help === true) return undefined
  const blockBytes = wholeNumber('block-bytes', values['block-bytes'], 65_536, 4096)
  if (blockBytes % 4096 !== 0)
    throw new UsageError(
      `--block-bytes: expected a multiple of 4096, got ${blockBytes}. Try ${Math.ceil(blockBytes / 4096) * 4096}.`,
    )
  const options: ReplayOptions = {
    trace: values.trace,
    json: values.json,
    dir: values.dir,
    seed: wholeNumber('seed', values.seed, 1, 0),
    requests: wholeNumber('requests', values.requests, values.trace === undefined ? 4000 : Number.MAX_SAFE_INTEGER, 1),
    deviceBlocks: wholeNumber('device-blocks', values['device-blocks'], 1500, 0),
    hostBlocks: wholeNumber('host-blocks', values['host-blocks'], 5000, 0),
    diskBlocks: wholeNumber('disk-blocks', values['disk-blocks'], 20_000, 0),
    blockBytes,
    crash: values['no-crash'] !== true,
  }
  if (options.deviceBlocks + options.hostBlocks + options.diskBlocks === 0) {
    throw new UsageError(
      '--device-blocks, --host-blocks, --disk-blocks: all are 0, so there is no tier. Give at least one of them blocks.',
    )
  }
  return options
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, allowPositionals: false }).values
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message.split('\n')[0] : String(error)}. See --help.`)
  }
}
