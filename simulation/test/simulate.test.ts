import { expect, test } from 'vitest'
import { addFacts, noFacts } from '../src/facts.js'
import { simulate } from '../src/simulate.js'
import { SimulationFailure } from '../src/simulation-failure.js'
import { DEFECTS, type Defect } from './support/defects.js'

/** Histories of a test run; `npm run simulate` lives them until stopped. */
const SEEDS = Number(process.env.KVBM_SEEDS ?? 40)
const MINUTES = 60_000

test(
  `in ${SEEDS} histories no wrong byte is served, no committed block is lost, no place leaks and nobody waits for ever`,
  async () => {
    const facts = noFacts()
    for (let seed = 1; seed <= SEEDS; seed++) addFacts(facts, (await simulate(seed)).facts)
    // They were no empty ones: everything that can happen did.
    for (const [name, count] of Object.entries(facts)) expect(count, name).toBeGreaterThan(0)
    expect(facts.blocksFoundAgain).toBeGreaterThan(SEEDS)
    expect(facts.blocksJudged).toBeGreaterThan(10 * SEEDS)
  },
  10 * MINUTES,
)

test('a seed lived twice is the same to the last turn', async () => {
  for (const seed of [3, 17, 2026]) {
    const trace: string[] = []
    const first = await simulate(seed, { onNote: (line) => trace.push(line) })
    expect(trace.length).toBeGreaterThan(100)
    const again: string[] = []
    const second = await simulate(seed, { onNote: (line) => again.push(line) })
    expect(again).toEqual(trace)
    expect(second).toEqual(first)
  }
})

test('a failing seed names itself and the command that lives it again, and fails again in the same way', async () => {
  const defect = DEFECTS['checksums are not compared']!
  const first = await firstFailure(defect)
  expect(first.message).toContain(`npm run simulate -- --seed ${first.seed} --trace`)
  await expect(simulate(first.seed, defect.options)).rejects.toThrow(first.message)
})

test.each(Object.entries(DEFECTS))('where %s, a simulation finds it', async (_, defect) => {
  using _planted = defect.plant?.()
  expect((await firstFailure(defect)).message).toMatch(defect.finding)
})

async function firstFailure({ options }: Defect): Promise<SimulationFailure> {
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      await simulate(seed, options)
    } catch (error) {
      if (error instanceof SimulationFailure) return error
      throw error
    }
  }
  throw new Error(`${SEEDS} seeds found nothing.`)
}
