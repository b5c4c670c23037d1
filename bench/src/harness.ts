/** How much was done, in the subject's unit, by whoever knows better than the clock around `run` how long it took. */
export interface Amount {
  readonly amount: number
  readonly ms?: number
  /** Of all its CPUs. */
  readonly cpuMs?: number
}

/** One way to do the work. `run` does all of it once and returns how much it did, in the subject's unit. */
export interface Contender {
  readonly name: string
  run(): number | Amount | Promise<number | Amount>
  close?(): void | Promise<void>
}

/** Contenders that do the same work; the first is ours, the others are peers or limits of the machine. */
export interface Subject {
  readonly name: string
  /** What one round does, in words. */
  readonly work: string
  /** Unit of the rate, for example `blocks/s`. */
  readonly unit: string
  readonly contenders: readonly Contender[]
  /** What else to know of the setting, for example what was not compared and why. */
  readonly notes?: readonly string[]
}

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export interface ContenderResult {
  readonly name: string
  /** Units per second. */
  readonly rate: Spread
  /** Where it was measured: ms of CPU time per 10⁹ units. */
  readonly cpuMs?: Spread
}

export interface SubjectResult {
  readonly name: string
  readonly work: string
  readonly unit: string
  readonly rounds: number
  readonly contenders: readonly ContenderResult[]
  /** Our rate ÷ theirs, round by round: what holds when the machine's speed drifts. */
  readonly ratios: readonly { readonly against: string; readonly ratio: Spread }[]
  readonly notes: readonly string[]
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
  return { median, min: sorted[0]!, max: sorted.at(-1)! }
}

/** Whose turn it is in a round: A B C in the first one, then B C A, … */
export function turns(count: number, round: number): number[] {
  return Array.from({ length: count }, (_, turn) => (turn + round) % count)
}

interface Turn {
  readonly rate: number
  readonly cpuMs: number | undefined
}

async function takeTurn(contender: Contender): Promise<Turn> {
  const started = performance.now()
  const result = await contender.run()
  const elapsed = performance.now() - started
  const done = typeof result === 'number' ? { amount: result } : result
  const { amount, ms = elapsed, cpuMs } = done
  return { rate: (amount / ms) * 1000, cpuMs: cpuMs === undefined ? undefined : (cpuMs * 1e9) / amount }
}

/** Runs the contenders in turn, A B C, then B C A, …, after one round that is not counted. */
export async function measure(
  subject: Subject,
  rounds: number,
  onRound: (round: number) => void = () => {},
): Promise<SubjectResult> {
  const { name, work, unit, contenders, notes = [] } = subject
  const taken = contenders.map((): Turn[] => [])
  try {
    for (let round = -1; round < rounds; round++) {
      onRound(Math.max(0, round))
      for (const index of turns(contenders.length, Math.max(0, round))) {
        const turn = await takeTurn(contenders[index]!)
        if (round >= 0) taken[index]!.push(turn)
      }
    }
  } finally {
    for (const contender of contenders) await contender.close?.()
  }
  const results = contenders.map((contender, index) => resultOf(contender.name, taken[index]!))
  const ratios = contenders.slice(1).map((contender, index) => ({
    against: contender.name,
    ratio: spreadOf(taken[0]!.map(({ rate }, round) => rate / taken[index + 1]![round]!.rate)),
  }))
  return { name, work, unit, rounds, contenders: results, ratios, notes }
}

function resultOf(name: string, taken: readonly Turn[]): ContenderResult {
  const rate = spreadOf(taken.map((turn) => turn.rate))
  const cpuMs = taken.flatMap((turn) => (turn.cpuMs === undefined ? [] : [turn.cpuMs]))
  return { name, rate, ...(cpuMs.length > 0 && { cpuMs: spreadOf(cpuMs) }) }
}
