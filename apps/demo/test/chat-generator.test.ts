import { expect, test } from 'vitest'
import { generateChats } from '../src/chat-generator.js'
import type { TraceRequest } from '../src/trace.js'

function take(seed: number, count: number): TraceRequest[] {
  const requests: TraceRequest[] = []
  for (const request of generateChats(seed)) if (requests.push(request) === count) break
  return requests
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!

test('the same seed gives the same requests, another seed others', () => {
  expect(take(3, 200)).toEqual(take(3, 200))
  expect(take(4, 200)).not.toEqual(take(3, 200))
})

test('chats look like the published trace: lengths, rate, continuation and the reach of an infinite cache', () => {
  const requests = take(1, 12_000)
  const lengths = requests.map((request) => request.hashIds.length)
  const seen = lengths.reduce((sum, length) => sum + length, 0)
  const known = new Set<number>()
  let hit = 0
  for (const { hashIds } of requests) {
    const firstNew = hashIds.findIndex((id) => !known.has(id))
    hit += firstNew < 0 ? hashIds.length : firstNew
    for (const id of hashIds) known.add(id)
  }
  expect(seen / requests.length).toBeGreaterThan(19)
  expect(seen / requests.length).toBeLessThan(29)
  expect(median(lengths)).toBeGreaterThan(10)
  expect(median(lengths)).toBeLessThan(18)
  expect(hit / seen).toBeGreaterThan(0.33)
  expect(hit / seen).toBeLessThan(0.41)
  const seconds = (requests.at(-1)!.timestamp - requests[0]!.timestamp) / 1000
  expect(requests.length / seconds).toBeGreaterThan(2.7)
  expect(requests.length / seconds).toBeLessThan(4.1)
})

test('equal ids have equal prefixes, and time never runs backwards', () => {
  const parentOf = new Map<number, number>()
  let now = 0
  for (const { hashIds, timestamp } of take(2, 3000)) {
    expect(timestamp).toBeGreaterThanOrEqual(now)
    now = timestamp
    for (const [index, id] of hashIds.entries()) {
      const parent = hashIds[index - 1] ?? -1
      expect(parentOf.get(id) ?? parent).toBe(parent)
      parentOf.set(id, parent)
    }
  }
})
