import { availableParallelism } from 'node:os'
import type { LlamaContextSequence } from 'node-llama-cpp'
import { describe, expect, test } from 'vitest'
import { ChatTemplate } from '../src/served-model/chat-template.js'
import { SequenceSeats } from '../src/served-model/sequence-seats.js'
import { StopFilter } from '../src/served-model/stop-filter.js'
import { threadCount } from '../src/served-model/thread-count.js'
import { TokenText } from '../src/served-model/token-text.js'
import { isMissing, tinyEngine, why } from './support/tiny-engine.js'

describe('stop texts', () => {
  const pieces = (stops: readonly string[], ...texts: readonly string[]): string[] => {
    const filter = new StopFilter(stops)
    const shown = texts.map((text) => filter.push(text))
    return [...shown, filter.end()]
  }

  test('without any, text passes as it comes', () => {
    expect(pieces([], 'a', 'bc')).toEqual(['a', 'bc', ''])
  })

  test('the beginning of one is held back until it is clear what it is', () => {
    expect(pieces(['END'], 'xE', 'N', 'Dmore', 'never')).toEqual(['x', '', '', '', ''])
    expect(pieces(['END'], 'xE', 'NE', 'X')).toEqual(['x', 'EN', 'EX', ''])
    expect(pieces(['END'], 'xEN')).toEqual(['x', 'EN'])
  })

  test('the first of several ends the text', () => {
    expect(pieces(['two', 'one'], 'zero one two')).toEqual(['zero ', ''])
  })

  test('for every text, cut anywhere, what is shown is what stands before the first one', () => {
    const text = 'aabaabaaab'
    for (const stop of ['ab', 'aab', 'baa', 'aaab', 'bb'])
      for (let first = 0; first <= text.length; first++)
        for (let second = first; second <= text.length; second++) {
          const shown = pieces([stop], text.slice(0, first), text.slice(first, second), text.slice(second)).join('')
          expect(shown).toBe(text.includes(stop) ? text.slice(0, text.indexOf(stop)) : text)
        }
  })
})

describe('text of tokens', () => {
  const decode = (bytes: readonly number[]): string => new TextDecoder().decode(Uint8Array.from(bytes))

  test('half a character is held back, whichever way it is cut', () => {
    const bytes = [...new TextEncoder().encode('aß€🙂z')]
    const text = new TokenText<number>(decode, [])
    expect(bytes.map((byte) => text.push(byte)).filter((piece) => piece !== '')).toEqual(['a', 'ß', '€', '🙂', 'z'])
    expect(text.end()).toBe('')
  })

  test('broken characters show at last', () => {
    const text = new TokenText<number>(decode, [])
    expect(Array.from({ length: 8 }, () => text.push(0xff)).join('')).toBe('\ufffd'.repeat(8))
    expect(text.push(0xe2)).toBe('')
    expect(text.end()).toBe('\ufffd')
  })

  test('what stands before decides how it begins', () => {
    const seen: number[][] = []
    const text = new TokenText<number>(
      (tokens, before) => {
        seen.push([...before])
        return String(tokens)
      },
      [1, 2],
    )
    text.push(3)
    text.push(4)
    expect(seen).toEqual([
      [1, 2],
      [1, 2, 3],
    ])
  })
})

describe('seats', () => {
  const seatsOf = (...held: number[][]): SequenceSeats =>
    new SequenceSeats(held.map((contextTokens) => ({ contextTokens })) as unknown as LlamaContextSequence[])
  const request = (tokens: readonly number[], owner = 'me') => ({ tokens: Uint32Array.from(tokens), owner })

  test('a prompt gets the sequence that holds most of it, of its own owner only', async () => {
    const seats = seatsOf([1, 2], [1, 2, 3], [9])
    const all = [await seats.take(request([])), await seats.take(request([])), await seats.take(request([]))]
    for (const seat of all) {
      seat.owner = 'me'
      seats.release(seat)
    }
    expect((await seats.take(request([1, 2, 3, 4]))).sequence).toBe(all[1]!.sequence)
    expect((await seats.take(request([9, 1], 'you'))).sequence).toBe(all[0]!.sequence)
  })

  test('a strange prompt gets the one that is unused for longest', async () => {
    const seats = seatsOf([1], [2])
    const [first, second] = [await seats.take(request([7])), await seats.take(request([7]))]
    seats.release(second)
    seats.release(first)
    expect(await seats.take(request([7]))).toBe(second)
  })

  test('one of which a capture waits is the last of those that hold equally little', async () => {
    const seats = seatsOf([1], [2], [3, 4])
    const all = [await seats.take(request([])), await seats.take(request([])), await seats.take(request([]))]
    for (const seat of all) {
      seat.owner = 'me'
      seat.captures = seat === all[1] ? 0 : 1
      seats.release(seat)
    }
    expect(await seats.take(request([3, 4, 5]))).toBe(all[2])
    expect(await seats.take(request([7]))).toBe(all[1])
    expect(await seats.take(request([7]))).toBe(all[0])
  })

  test('who has no use for what sequences hold leaves it alone', async () => {
    const seats = seatsOf([9], [1, 2, 3])
    const stranger = { tokens: Uint32Array.from([1, 2, 3, 4]), owner: undefined }
    expect((await seats.take(stranger)).sequence.contextTokens).toEqual([9])
  })

  test('who waits is served in order; who gives up is forgotten, with its reason', async () => {
    const seats = seatsOf([])
    const seat = await seats.take(request([1]))
    const gone = new AbortController()
    const waiting = [
      seats.take(request([1])),
      seats.take({ ...request([1]), signal: gone.signal }),
      seats.take(request([1])),
    ]
    gone.abort(new Error('gone'))
    await expect(waiting[1]).rejects.toThrow('gone')
    const order: number[] = []
    const served = [0, 2].map(async (index) => {
      const got = await waiting[index]!
      order.push(index)
      seats.release(got)
    })
    seats.release(seat)
    await Promise.all(served)
    expect(order).toEqual([0, 2])
  })

  test('closing refuses those that wait and those that come', async () => {
    const seats = seatsOf([])
    await seats.take(request([1]))
    const waiting = seats.take(request([1]))
    seats.close()
    await expect(waiting).rejects.toMatchObject({ code: 'KVBM_CLOSED' })
    await expect(seats.take(request([1]))).rejects.toMatchObject({ code: 'KVBM_CLOSED' })
  })
})

describe.skipIf(isMissing)(`a chat template${why}`, () => {
  test('ends turns by its special tokens, and by texts that stand for them', async () => {
    await using tiny = await tinyEngine()
    const { ChatMLChatWrapper, GeneralChatWrapper } = await import('node-llama-cpp')
    const special = new ChatTemplate(new ChatMLChatWrapper(), tiny.model)
    const IM_END = 2
    expect([...special.stopTokens]).toEqual([IM_END])
    expect(special.stopTexts).toEqual(['<|im_end|>'])
    const plain = new ChatTemplate(new GeneralChatWrapper(), tiny.model)
    expect(plain.stopTexts).toContain('### Human')
  })
})

test('threads are the physical cores, but never more than this process may use', () => {
  expect(threadCount(1)).toBe(1)
  expect(threadCount(0)).toBe(1)
  expect(threadCount(4096)).toBeLessThanOrEqual(availableParallelism())
})
