import { parseArgs } from 'node:util'
import { UsageError } from './usage-error.js'

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
compute the rest, register, offload, release. Every byte that comes back from any tier is compared with what it must be. Then a
process that does the same is killed with SIGKILL, and the next one serves from what it left on disk.

  --trace FILE         requests in Mooncake's JSONL format, plain or gzip (default: a seeded generator of multi-turn chats)
  --requests N         how many requests (default: 12000 generated ones, an hour of chats; or the whole trace)
  --seed N             seed of the generator (default 1)
  --device-blocks N    blocks of the device tier, 0 = no such tier (default 1500)
  --host-blocks N      blocks of the host tier, 0 = no such tier (default 5000)
  --disk-blocks N      blocks of the disk tier, 0 = no such tier (default 20000)
  --block-bytes N      bytes of one block, a multiple of 4096 (default 65536)
  --dir DIR            keep the disk tier in DIR and find it there again (default: a temporary directory, removed at the end)
  --json FILE          write the report as data, too
  --no-crash           leave out the process that is killed
  --help               this text

Ctrl-C ends the run after the request in hand, with the report so far. The exit code is 0 when every byte was right, 1 when not,
2 for a flag or a file that cannot be used.
`

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

/** A pool numbers its blocks with 32 bits. */
const BLOCKS_MAX = 2 ** 32 - 1
const BLOCK_BYTES_MAX = 2 ** 30
const PAGE_BYTES = 4096

interface Range {
  readonly fallback: number
  readonly least: number
  readonly most?: number
}

/** Flags of the replay scene; undefined when help was asked for. Throws `UsageError`. */
export function parseReplayOptions(args: readonly string[]): ReplayOptions | undefined {
  const { help, trace, json, dir, ...texts } = parseFlags(args)
  if (help === true) return undefined
  const number = (flag: NumberFlag, range: Range): number => wholeNumber(flag, texts[flag], range)
  const options: ReplayOptions = {
    trace: givenPath('trace', trace),
    json: givenPath('json', json),
    dir: givenPath('dir', dir),
    seed: number('seed', { fallback: 1, least: 0, most: 2 ** 32 - 1 }),
    requests: number('requests', { fallback: trace === undefined ? 12_000 : Number.MAX_SAFE_INTEGER, least: 1 }),
    deviceBlocks: number('device-blocks', { fallback: 1500, least: 0, most: BLOCKS_MAX }),
    hostBlocks: number('host-blocks', { fallback: 5000, least: 0, most: BLOCKS_MAX }),
    diskBlocks: number('disk-blocks', { fallback: 20_000, least: 0, most: BLOCKS_MAX }),
    blockBytes: wholePages(number('block-bytes', { fallback: 65_536, least: PAGE_BYTES, most: BLOCK_BYTES_MAX })),
    crash: texts['no-crash'] !== true,
  }
  if (options.deviceBlocks + options.hostBlocks + options.diskBlocks > 0) return options
  throw new UsageError(
    '--device-blocks, --host-blocks, --disk-blocks: all are 0, so there is no tier. Give at least one of them blocks.',
  )
}

type NumberFlag = 'seed' | 'requests' | 'device-blocks' | 'host-blocks' | 'disk-blocks' | 'block-bytes'

function wholeNumber(flag: NumberFlag, text: string | undefined, range: Range): number {
  const { fallback, least, most = Number.MAX_SAFE_INTEGER } = range
  if (text === undefined) return fallback
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new UsageError(`--${flag}: expected a whole number from ${least} to ${most}, got '${text}'. See --help.`)
}

function wholePages(blockBytes: number): number {
  if (blockBytes % PAGE_BYTES === 0) return blockBytes
  const near = Math.ceil(blockBytes / PAGE_BYTES) * PAGE_BYTES
  throw new UsageError(`--block-bytes: expected a multiple of ${PAGE_BYTES}, got ${blockBytes}. Try ${near}.`)
}

function givenPath(flag: string, path: string | undefined): string | undefined {
  if (path === '') throw new UsageError(`--${flag}: expected a path, got nothing. See --help.`)
  return path
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, allowPositionals: false }).values
  } catch (error) {
    const [what] = (error as Error).message.split(/\.?\n|\.$/)
    throw new UsageError(`${what}. See --help.`)
  }
}
