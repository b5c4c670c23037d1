import type { CaptureRange, KvConnector } from '@kvbm/connector'
import type { LlamaContextSequence } from 'node-llama-cpp'
import { CachedPrompt, type PromptOf } from './cached-prompt.js'
import type { Seat, SequenceSeats } from './sequence-seats.js'

/** A request that has a sequence. */
export class Turn {
  readonly prompt: CachedPrompt
  readonly seat: Seat
  /** How long it waited for its sequence. */
  readonly waitMs: number
  readonly #seats: SequenceSeats

  private constructor(prompt: CachedPrompt, seat: Seat, seats: SequenceSeats, waitMs: number) {
    this.prompt = prompt
    this.seat = seat
    this.waitMs = waitMs
    this.#seats = seats
  }

  /** Waits for a sequence. Rejects with the signal's reason, and then nothing is held. */
  static async begin(
    connector: KvConnector<LlamaContextSequence>,
    seats: SequenceSeats,
    request: PromptOf,
  ): Promise<Turn> {
    const started = performance.now()
    const prompt = await CachedPrompt.open(connector, request)
    try {
      const { tokens, signal } = request
      const seat = await seats.take({ tokens, owner: prompt.takesFrom, signal })
      return new Turn(prompt, seat, seats, performance.now() - started)
    } catch (error) {
      await prompt.finish()
      throw error
    }
  }

  /** Captures what is new, in the background, and gives the sequence back. */
  async end(how?: Pick<CaptureRange, 'complete'>): Promise<void> {
    const { prompt, seat } = this
    if (!seat.sequence.disposed) prompt.capture(seat, how)
    seat.owner = prompt.leavesTo
    await prompt.finish()
    seat.captures++
    void prompt.captured().then(() => seat.captures--)
    this.#seats.release(seat)
  }
}
