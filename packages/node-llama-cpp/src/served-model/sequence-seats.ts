import { ClosedError } from '@kvbm/core'
import type { LlamaContextSequence } from 'node-llama-cpp'

/** Whose prompt looks for a sequence. */
export interface SeatRequest {
  readonly tokens: Uint32Array
  /** What a sequence holds is only seen by whom it belongs to. Undefined: what sequences hold is of no use. */
  readonly owner: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** One sequence of the context, for one request at a time. */
export interface Seat {
  readonly sequence: LlamaContextSequence
  /** Whose tokens it holds; undefined: nobody may find them. */
  owner: string | undefined
  /** Captures of what it holds that wait or run. */
  captures: number
}

interface Waiter {
  readonly go: (seat: Seat) => void
  readonly refuse: (reason: unknown) => void
}

/**
 * The sequences of a context. Each request gets the free one that holds most of its prompt already. Of several that hold equally
 * much those go first of which no capture waits, and of these the one that is unused for longest. Invariant: somebody waits only while nothing is free.
 */
export class SequenceSeats {
  readonly #free: Seat[]
  readonly #waiting: Waiter[] = []
  #closed = false

  constructor(sequences: readonly LlamaContextSequence[]) {
    this.#free = sequences.map((sequence) => ({ sequence, owner: undefined, captures: 0 }))
  }

  /** First come, first served. Rejects with the signal's reason, or with `ClosedError`. */
  async take(request: SeatRequest): Promise<Seat> {
    request.signal?.throwIfAborted()
    if (this.#closed) throw new ClosedError('Served model')
    return this.#free.length > 0 ? this.#best(request) : this.#wait(request)
  }

  release(seat: Seat): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free.push(seat)
    else next.go(seat)
  }

  /** Refuses those that wait and those that come. */
  close(): void {
    this.#closed = true
    for (const { refuse } of this.#waiting.splice(0)) refuse(new ClosedError('Served model'))
  }

  #best(request: SeatRequest): Seat {
    const ranked = this.#free.map((seat) => ({ seat, held: residentTokens(seat, request) }))
    ranked.sort((a, b) => b.held - a.held || a.seat.captures - b.seat.captures)
    const { seat } = ranked[0]!
    this.#free.splice(this.#free.indexOf(seat), 1)
    return seat
  }

  #wait({ signal }: SeatRequest): Promise<Seat> {
    return new Promise((resolve, refuse) => {
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        refuse(signal?.reason)
      }
      const go = (seat: Seat): void => {
        signal?.removeEventListener('abort', giveUp)
        resolve(seat)
      }
      const waiter = { go, refuse }
      signal?.addEventListener('abort', giveUp, { once: true })
      this.#waiting.push(waiter)
    })
  }
}

/** How many tokens of a prompt its sequence holds already. The last one must be evaluated anew, for what follows it. */
export function residentTokens({ sequence, owner: holder }: Seat, { tokens, owner }: SeatRequest): number {
  if (owner === undefined || holder !== owner) return 0
  const held = sequence.contextTokens
  const most = Math.min(held.length, tokens.length - 1)
  let shared = 0
  while (shared < most && held[shared] === tokens[shared]) shared++
  return shared
}
