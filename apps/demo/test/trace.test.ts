import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'
import { loadTrace, type TraceRequest } from '../src/trace.js'

const dir = mkdtempSync(join(tmpdir(), 'kvbm-trace-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const LINE = '{"timestamp": 27, "input_length": 1024, "output_length": 5, "hash_ids": [0, 1]}'

async function read(name: string, content: string | Buffer): Promise<TraceRequest[]> {
  const file = join(dir, name)
  writeFileSync(file, content)
  return loadTrace(file, Number.MAX_SAFE_INTEGER)
}

test('plain and gzip files give the same requests; empty lines are nothing', async () => {
  const expected = [{ timestamp: 27, inputLength: 1024, outputLength: 5, hashIds: [0, 1] }]
  expect(await read('plain.jsonl', `${LINE}\n\n`)).toEqual(expected)
  expect(await read('packed.jsonl.gz', gzipSync(`${LINE}\n`))).toEqual(expected)
})

test.each([
  ['{"timestamp": 1', 'not a JSON object'],
  ['[1]', 'not a JSON object'],
  [
    '{"timestamp": "x", "input_length": 1, "output_length": 1, "hash_ids": [1]}',
    '\'timestamp\' must be a number of 0 or more, got "x"',
  ],
  ['{"timestamp": 1, "input_length": 1, "output_length": 1}', "'hash_ids' must list the ids of blocks"],
  ['{"timestamp": 1, "input_length": 1, "output_length": 1, "hash_ids": []}', "'hash_ids' must list the ids of blocks"],
  ['{"timestamp": 1, "input_length": 1, "output_length": 1, "hash_ids": [1, 2.5]}', 'got 2.5 at index 1'],
  [
    '{"timestamp": 1, "input_length": -1, "output_length": 1, "hash_ids": [1]}',
    "'input_length' must be a number of 0 or more, got -1",
  ],
])('a malformed line names file, line and reason: %s', async (line, reason) => {
  const reading = read('broken.jsonl', `${LINE}\n${line}\n`)
  await expect(reading).rejects.toThrow(`broken.jsonl:2: `)
  await expect(reading).rejects.toThrow(reason)
})

test('a missing file, a damaged one and an empty one are told plainly', async () => {
  const none = join(dir, 'none.jsonl')
  await expect(loadTrace(none, 1)).rejects.toThrow(`${none}: cannot be read: ENOENT`)
  const damaged = gzipSync(`${LINE}\n`.repeat(500)).subarray(0, 60)
  await expect(read('broken.gz', damaged)).rejects.toThrow(/broken\.gz.*: cannot be read: unexpected end of file\./)
  await expect(read('empty.jsonl', '')).rejects.toThrow('empty.jsonl: there is no request in this file.')
})

test('reading stops after as many requests as are wanted: what follows is not looked at', async () => {
  writeFileSync(join(dir, 'long.jsonl'), `${LINE}\n${LINE}\nhello\n`)
  expect(await loadTrace(join(dir, 'long.jsonl'), 2)).toHaveLength(2)
})
