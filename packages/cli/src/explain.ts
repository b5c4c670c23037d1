import { readFile } from 'node:fs/promises'
import { defineCommand, type UsageErrorOf } from './command.js'
import { askServer } from './explain-server.js'
import { type DiskExplanation, explainOnDisk, firstDifference } from './explain-tokens.js'
import { formatTable, printJson } from './format.js'
import { readKey } from './read-key.js'
import { readNumber } from './read-number.js'
import { readTokens } from './read-tokens.js'

const HELP = `Usage: kvbm explain --url URL --prompt TEXT [flags]
       kvbm explain DIR --tokens FILE [flags]
       kvbm explain --tokens FILE --before FILE [flags]

Why a prompt hits the cache or misses it: asks a running server, looks into a cache directory, or compares two prompts.

  --url URL              a server's address, e.g. http://127.0.0.1:8080
  --prompt TEXT          the prompt as text
  --prompt-file FILE     the same from a file
  --messages-file FILE   a chat's messages from a file, as JSON: [{ "role": "user", "content": "…" }]
  --key-file FILE        the server's API key; '-' reads standard input
  --tokens FILE          the prompt as numbers of tokens: JSON, or separated by white space or commas
  --before FILE          an earlier prompt that was expected to share its beginning
  --page-size N          tokens per block, for --before (default 16)
  --tenant NAME          whose prompt it is; only for a directory
  --exact                look for blocks of exact mode; only for a directory
  --model ID             only this model
  --json                 as data
  --help                 this text`

interface Flags {
  readonly url?: string | undefined
  readonly prompt?: string | undefined
  readonly 'prompt-file'?: string | undefined
  readonly 'messages-file'?: string | undefined
  readonly 'key-file'?: string | undefined
  readonly tokens?: string | undefined
  readonly before?: string | undefined
  readonly tenant?: string | undefined
  readonly model?: string | undefined
  readonly 'page-size': string
  readonly exact: boolean
  readonly json: boolean
}

/** `kvbm explain` */
export const explain = defineCommand({
  name: 'explain',
  help: HELP,
  flags: {
    url: { type: 'string' },
    prompt: { type: 'string' },
    'prompt-file': { type: 'string' },
    'messages-file': { type: 'string' },
    'key-file': { type: 'string' },
    tokens: { type: 'string' },
    before: { type: 'string' },
    tenant: { type: 'string' },
    model: { type: 'string' },
    'page-size': { type: 'string', default: '16' },
    exact: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
  placesMax: 1,
  async run({ flags, places: [dir], usageError }) {
    if (flags.url !== undefined) await explainByServer(flags.url, flags, usageError)
    else if (flags.tokens === undefined) throw usageError('Give --url URL, or --tokens FILE.')
    else await explainByTokens(dir, flags.tokens, flags, usageError)
  },
})

async function explainByServer(url: string, flags: Flags, usageError: UsageErrorOf): Promise<void> {
  const question = await questionOf(flags)
  if (Object.keys(question).length !== 1)
    throw usageError('Give one of --prompt, --prompt-file and --messages-file with --url.')
  const { model, 'key-file': keyFile, json } = flags
  const key = keyFile === undefined ? undefined : await readKey(keyFile)
  const { data, text } = await askServer({ url, key, question: { ...question, ...(model !== undefined && { model }) } })
  if (json) printJson(data)
  else console.log(text)
}

async function questionOf(flags: Flags): Promise<Record<string, unknown>> {
  const { prompt, 'prompt-file': promptFile, 'messages-file': messagesFile } = flags
  return {
    ...(prompt !== undefined && { prompt }),
    ...(promptFile !== undefined && { prompt: await readFile(promptFile, 'utf8') }),
    ...(messagesFile !== undefined && { messages: await readJson(messagesFile) }),
  }
}

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8')
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Error(`${path}: expected a chat's messages as JSON: ${(cause as Error).message}`, { cause })
  }
}

async function explainByTokens(
  dir: string | undefined,
  file: string,
  flags: Flags,
  usageError: UsageErrorOf,
): Promise<void> {
  const { before: beforeFile, model, tenant, exact, json } = flags
  if (dir === undefined && beforeFile === undefined) throw usageError('Give a cache directory, or --before FILE.')
  const pageSize = readNumber('page-size', flags['page-size'], usageError)!
  const tokens = await readTokens(file)
  const difference = beforeFile && firstDifference(tokens, await readTokens(beforeFile), pageSize)
  const models = dir === undefined ? undefined : await explainOnDisk(dir, { tokens, model, tenant, exact })
  if (json)
    return printJson({ promptTokens: tokens.length, ...(difference && { difference }), ...(models && { models }) })
  if (difference) console.log(difference.message)
  if (models) console.log(shown(models, tokens.length))
}

function shown(models: readonly DiskExplanation[], promptTokens: number): string {
  if (models.length === 0) return 'The directory holds no models.'
  const rows = models.map(({ name, cachedTokens, message }) => [name, `${cachedTokens} of ${promptTokens}`, message])
  return formatTable(['MODEL', 'TOKENS ON DISK', 'WHY NOT MORE'], rows)
}
