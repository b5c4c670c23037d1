/** What happened in a history, counted: that it was not an empty one. */
export interface Facts {
  steps: number
  turns: number
  lives: number
  readers: number
  takeOvers: number
  kills: number
  powerCuts: number
  closes: number
  faults: number
  blocksWritten: number
  /** Blocks read and compared with their names. */
  blocksJudged: number
  /** The same of blocks that a reader found on disk, beside the process that wrote them. */
  blocksJudgedBeside: number
  /** Blocks on disk after a death that had to be there, and were. */
  blocksFoundAgain: number
  /** Damaged blocks that the manager noticed. */
  damageNoticed: number
  /** Calls that ended with a deadline, an aborted signal or a failing tier. */
  callsFailed: number
}

export function noFacts(): Facts {
  return {
    steps: 0,
    turns: 0,
    lives: 0,
    readers: 0,
    takeOvers: 0,
    kills: 0,
    powerCuts: 0,
    closes: 0,
    faults: 0,
    blocksWritten: 0,
    blocksJudged: 0,
    blocksJudgedBeside: 0,
    blocksFoundAgain: 0,
    damageNoticed: 0,
    callsFailed: 0,
  }
}

/** Sums, fact by fact. */
export function addFacts(into: Facts, more: Facts): void {
  for (const name of Object.keys(into) as Array<keyof Facts>) into[name] += more[name]
}
