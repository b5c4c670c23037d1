import { BLOCKS_MAX } from '@kvbm/core'
import type { CacheOptions } from './cache.js'
import { blockBytesOf, parseFlags, wholeNumber } from './flags.js'
import type { RequestSource } from './requests.js'
import { UsageError } from './usage-error.js'

/** What the flags of the replay say. */
export interface ReplayOptions extends RequestSource, Omit<CacheOptions, 'dir'> {
  /** Where the disk tier is kept. Undefined: in a temporary directory. */
  readonly dir: string | undefined
  readonly json: string | undefined
  readonly crash: boolean
}

/** What `--help` prints. */
export const REPLAY_HELP = `Usage: npm run demo -- replay [flags]

Serves a stream of LLM requests through a KV block manager: hash the prompt, match it over the tiers, bring up what is cached,
compute the rest, register, offload, release. Every byte that comes back from any tier is compared with what it must be. Then a
process that does the same is killed with SIGKILL, and the next one serves from what it left on disk.

  --trace FILE         requests in Mooncake's JSONL format, plain or gzip (default: a seeded generator of multi-turn chats)
  --requests N         how many requests (default: 8000 generated ones, 40 minutes of chats; or the whole trace)
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
  requests: { type: 'string' },
  seed: { type: 'string' },
  'device-blocks': { type: 'string' },
  'host-blocks': { type: 'string' },
  'disk-blocks': { type: 'string' },
  'block-bytes': { type: 'string' },
  dir: { type: 'string' },
  json: { type: 'string' },
  'no-crash': { type: 'boolean' },
  help: { type: 'boolean' },
} as const

/** Flags of the replay scene. Throws `UsageError`. */
export function parseReplayOptions(args: readonly string[]): ReplayOptions {
  const flags = parseFlags(args, FLAGS)
  const blocks = (name: string, fallback: number): number =>
    wholeNumber(flags, name, { fallback, least: 0, most: BLOCKS_MAX })
  const allRequests = flags.has('trace') ? Number.MAX_SAFE_INTEGER : 8000
  const options: ReplayOptions = {
    trace: flags.get('trace'),
    requests: wholeNumber(flags, 'requests', { fallback: allRequests, least: 1 }),
    seed: wholeNumber(flags, 'seed', { fallback: 1, least: 0, most: 2 ** 32 - 1 }),
    deviceBlocks: blocks('device-blocks', 1500),
    hostBlocks: blocks('host-blocks', 5000),
    diskBlocks: blocks('disk-blocks', 20_000),
    blockBytes: blockBytesOf(flags, 65_536),
    dir: flags.get('dir'),
    json: flags.get('json'),
    crash: !flags.has('no-crash'),
  }
  if (options.deviceBlocks + options.hostBlocks + options.diskBlocks > 0) return options
  throw new UsageError(
    '--device-blocks, --host-blocks, --disk-blocks: all are 0, so there is no tier. Give at least one of them blocks.',
  )
}
