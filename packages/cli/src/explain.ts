import { readFile } from 'node:fs/promises'
import { positiveInteger } from '@kvbm/core'
import { defineCommand } from './command.js'
import { askServer } from './explain-server.js'
import { explainOnDisk, firstDifference } from './explain-tokens.js'
import { formatTable, printJson } from './format.js'
import { readKey } from './read-key.js'
import { readTokens } from './read-tokens.js'

const HELP = `Usage: kvbm explain --url URL --prompt TEXT [flags]
       kvbm explain DIR --tokens FILE [flags]
       kvbm explain --tokens FILE --before FILE [flags]

Why a prompt hits the cache or misses it: asks a running server, looks into a cache directory, or compares two prompts.

  --url URL            a server's address, e.g. http://127.0.0.1:8080
  --prompt TEXT        the prompt as text
  --prompt-file FILE   the same from a file
  --key-file FILE      the server's API key; '-' reads standard input
  --tokens FILE        the prompt as numbers of tokens: JSON, or separated by white space or commas
  --before FILE        an earlier prompt that was expected to share its beginning
  --tenant NAME        whose prompt it is; only for a directory
  --exact              look for blocks of exact mode; only for a directory
  --model ID           only this model
  --page-size N        tokens per block where no directory says it (default 16)
  --json               as data
  --help               this text`

/** `kvbm explain` */
export const explain = defineCommand({
  name: 'explain',
  help: HELP,
  flags: {
    url: { type: 'string' },
    prompt: { type: 'string' },
    'prompt-file': { type: 'string' },
    'key-file': { type: 'string' },
    tokens: { type: 'string' },
    before: { type: 'string' },
    tenant: { type: 'string' },
    exact: { type: 'boolean', default: false },
    model: { type: 'string' },
    'page-size': { type: 'string', default: '16' },
    json: { type: 'boolean', default: false },
  },
  placesMax: 1,
  async run({ flags, places: [dir], usageError }) {
    const { url, model, json } = flags
    if (url !== undefined) {
      const key = flags['key-file'] === undefined ? undefined : await readKey(flags['key-file'])
      const prompt = flags.prompt ?? (flags['prompt-file'] && (await readFile(flags['prompt-file'], 'utf8')))
      if (!prompt) throw usageError('Give --prompt TEXT or --prompt-file FILE with --url.')
      const { data, text } = await askServer({ url, prompt, model, key })
      return json ? printJson(data) : console.log(text)
    }
    if (flags.tokens === undefined) throw usageError('Give --url URL, or --tokens FILE.')
    if (dir === undefined && flags.before === undefined) throw usageError('Give a cache directory, or --before FILE.')
    const tokens = await readTokens(flags.tokens)
    const before = flags.before === undefined ? undefined : await readTokens(flags.before)
    const difference = before && firstDifference(tokens, before, pageSizeOf(flags['page-size'], usageError))
    const models =
      dir === undefined ? [] : await explainOnDisk(dir, { tokens, model, tenant: flags.tenant, exact: flags.exact })
    if (json) return printJson({ promptTokens: tokens.length, ...(difference && { difference }), models })
    if (difference !== undefined) console.log(difference.message)
    if (models.length > 0)
      console.log(
        formatTable(
          ['MODEL', 'ON DISK', 'WHY NOT MORE'],
          models.map(({ name, cachedTokens, message }) => [
            name,
            `${cachedTokens} of ${tokens.length} tokens`,
            message,
          ]),
        ),
      )
    else if (dir !== undefined) console.log(`${dir} holds no models.`)
  },
})

function pageSizeOf(text: string, usageError: (message: string) => Error): number {
  try {
    return positiveInteger('--page-size', Number(text))
  } catch (error) {
    throw usageError(`${(error as Error).message}.`)
  }
}
