import { createReadStream, existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { UsageError } from './options.js'

/** One request: one id per block of its prompt; equal ids mean an equal block with an equal prefix. */
export interface TraceRequest {
  /** Milliseconds since the start of the trace. */
  readonly timestamp: number
  /** Tokens. */
  readonly inputLength: number
  readonly outputLength: number
  readonly hashIds: readonly number[]
}

/** Requests of a file in Mooncake's JSONL format, plain or gzip, one after another. Throws `UsageError` naming file, line and reason. */
export async function* readTrace(file: string): AsyncGenerator<TraceRequest, void, void> {
  if (!existsSync(file)) throw new UsageError(`--trace: there is no file '${file}'.`)
  let number = 0
  try {
    for await (const line of createInterface({ input: openTrace(file), crlfDelay: Number.POSITIVE_INFINITY })) {
      number++
      if (line.trim() !== '') yield parseLine(line, file, number)
    }
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(
      `${file}, after line ${number}: cannot be read (${error instanceof Error ? error.message : String(error)}).`,
    )
  }
}

function openTrace(file: string): Readable {
  const raw = createReadStream(file)
  if (!file.endsWith('.gz')) return raw
  const unpacked = createGunzip()
  raw.on('error', (error) => unpacked.destroy(error))
  return raw.pipe(unpacked)
}

function parseLine(line: string, file: string, number: number): TraceRequest {
  const fail = (reason: string): never => {
    throw new UsageError(`${file}, line ${number}: ${reason}.`)
  }
  const record = parseJson(line) ?? fail('not a JSON object')
  const field = (name: string): number => {
    const value = record[name]
    return typeof value === 'number' && value >= 0
      ? value
      : fail(`'${name}' must be a number of 0 or more, got ${JSON.stringify(value)}`)
  }
  const ids = record['hash_ids']
  if (!Array.isArray(ids) || ids.length === 0)
    fail(`'hash_ids' must be a list of at least one block id, got ${JSON.stringify(ids)}`)
  const hashIds = ids as unknown[]
  const bad = hashIds.findIndex((id) => !Number.isSafeInteger(id) || (id as number) < 0)
  if (bad >= 0) fail(`'hash_ids' must hold whole numbers, got ${JSON.stringify(hashIds[bad])} at index ${bad}`)
  return {
    timestamp: field('timestamp'),
    inputLength: field('input_length'),
    outputLength: field('output_length'),
    hashIds: hashIds as number[],
  }
}

function parseJson(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
