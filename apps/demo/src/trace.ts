import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { UsageError } from './usage-error.js'

/** One request: one id per block of its prompt; equal ids mean an equal block with an equal prefix. */
export interface TraceRequest {
  /** Milliseconds since the start of the trace. */
  readonly timestamp: number
  /** Tokens. */
  readonly inputLength: number
  readonly outputLength: number
  readonly hashIds: readonly number[]
}

/** The first `requestsMax` requests of a file in Mooncake's JSONL format, plain or gzip. Throws `UsageError`: file, line, reason. */
export async function loadTrace(file: string, requestsMax: number): Promise<TraceRequest[]> {
  const requests: TraceRequest[] = []
  for await (const request of readTrace(file)) if (requests.push(request) === requestsMax) break
  if (requests.length === 0) throw new UsageError(`${file}: there is no request in this file.`)
  return requests
}

async function* readTrace(file: string): AsyncGenerator<TraceRequest, void, void> {
  let number = 0
  try {
    for await (const line of linesOf(await openText(file))) {
      number++
      if (line.trim() !== '') yield parseLine(line, `${file}:${number}`)
    }
  } catch (error) {
    if (error instanceof UsageError) throw error
    const where = number === 0 ? file : `${file}:${number + 1}`
    throw new UsageError(`${where}: cannot be read: ${(error as Error).message}.`)
  }
}

/** The file's text. Whether it is packed is told by its first bytes, so its name does not matter. */
async function openText(file: string): Promise<Readable> {
  const raw = createReadStream(file)
  await once(raw, 'readable')
  const head = raw.read() as Buffer | null
  if (head === null) return raw
  raw.unshift(head)
  const isGzip = head[0] === 0x1f && head[1] === 0x8b
  // The reader of the last stream learns of an error in the first.
  return isGzip ? pipeline(raw, createGunzip(), () => {}) : raw
}

async function* linesOf(text: Readable): AsyncGenerator<string, void, void> {
  let rest = ''
  for await (const chunk of text.setEncoding('utf8')) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()!
    yield* lines
  }
  yield rest
}

function parseLine(line: string, where: string): TraceRequest {
  const record = parseObject(line, where)
  const inputLength = numberAt(record, 'input_length', where)
  return {
    timestamp: numberAt(record, 'timestamp', where),
    inputLength,
    outputLength: numberAt(record, 'output_length', where),
    hashIds: idsAt(record, inputLength, where),
  }
}

function parseObject(line: string, where: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // The message below says enough.
  }
  throw new UsageError(`${where}: not a JSON object: ${shortened(line.trim())}`)
}

function numberAt(record: Record<string, unknown>, name: string, where: string): number {
  const value = record[name]
  if (typeof value === 'number' && value >= 0) return value
  throw new UsageError(`${where}: '${name}' must be a number of 0 or more, got ${shortened(JSON.stringify(value))}`)
}

function idsAt(record: Record<string, unknown>, inputLength: number, where: string): number[] {
  const ids: unknown = record.hash_ids
  if (!Array.isArray(ids) || (ids.length === 0 && inputLength > 0))
    throw new UsageError(`${where}: 'hash_ids' must list the ids of blocks, got ${shortened(JSON.stringify(ids))}`)
  const bad = ids.findIndex((id) => !Number.isSafeInteger(id) || id < 0)
  if (bad < 0) return ids as number[]
  const got = shortened(JSON.stringify(ids[bad]))
  throw new UsageError(`${where}: 'hash_ids' must hold whole numbers of 0 or more, got ${got} at index ${bad}`)
}

function shortened(text = 'nothing'): string {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}
