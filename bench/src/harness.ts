/** One way to do the work. `run` does all of it once and returns how much it did, in the subject's unit. */
export interface Contender {
  readonly name: string
  run(): number | Promise<number>
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
}

export interface SubjectResult {
  readonly name: string
  readonly work: string
  readonly unit: string
  readonly rounds: number
  readonly contenders: readonly ContenderResult[]
  /** Our rate ÷ theirs, round by round: what holds when the machine's speed drifts. */
  readonly ratios: readonly { readonly against: string; readonly ratio: Spread }[]
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

async function rateOf(contender: Contender): Promise<number> {
  const started = performance.now()
  const amount = await contender.run()
  return (amount / (performance.now() - started)) * 1000
}

/** Runs the contenders in turn, A B C, then B C A, …, after one round that is not counted. */
export async function measure(
  subject: Subject,
  rounds: number,
  onRound: (round: number) => void = () => {},
): Promise<SubjectResult> {
  const { contenders } = subject
  const rates = contenders.map((): number[] => [])
  for (let round = -1; round < rounds; round++) {
    onRound(Math.max(0, round))
    for (const index of turns(contenders.length, Math.max(0, round))) {
      const rate = await rateOf(contenders[index]!)
      if (round >= 0) rates[index]!.push(rate)
    }
  }
  for (const contender of contenders) await contender.close?.()
  const results = contenders.map(({ name }, index) => ({ name, rate: spreadOf(rates[index]!) }))
  const ratios = contenders.slice(1).map(({ name }, index) => ({
    against: name,
    ratio: spreadOf(rates[0]!.map((rate, round) => rate / rates[index + 1]![round]!)),
  }))
  return { name: subject.name, work: subject.work, unit: subject.unit, rounds, contenders: results, ratios }
}
