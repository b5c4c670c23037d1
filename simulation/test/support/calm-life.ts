import { SimulatedMachine } from '@kvbm/native/testing'
import type { ImmutableBlocks } from '@kvbm/pool'
import { bytesOf } from '../../src/content.js'
import { ROOT, runOn } from '../../src/ground.js'
import { Life } from '../../src/life.js'
import { drawScenario, type Scenario } from '../../src/scenario.js'

/** A machine on which nothing goes wrong by itself. */
export function calmMachine(): SimulatedMachine {
  const machine = new SimulatedMachine({ seed: 1 })
  machine.disk.makeDirectory(ROOT)
  return machine
}

/** A manager of three tiers, where blocks go down when they are told to. */
export function openCalmLife(machine: SimulatedMachine, changes: Partial<Scenario> = {}): Promise<Life> {
  const scenario: Scenario = {
    ...drawScenario(1),
    device: { numBlocks: 8, layoutType: 'fully-contiguous' },
    host: { numBlocks: 8, layoutType: 'paged' },
    writeThrough: false,
    isShared: false,
    settings: {},
    weather: { errors: false, flips: false, kills: false, powerCuts: false, stalls: { chance: 0, mostMs: 0 } },
    ...changes,
  }
  const { diskBlocks } = scenario
  return machine.until(Life.open({ machine, scenario, diskBlocks, onEvent: () => {} }))
}

/** Lets `act` happen as the program of a life. */
export function on<T>(life: Life, act: () => Promise<T>): Promise<T> {
  return life.machine.until(runOn(life.ground, act))
}

/** The first `count` blocks of a prompt, computed into the first tier. */
export async function compute(life: Life, leaf: number, count: number): Promise<ImmutableBlocks> {
  const { manager, prompts } = life
  const hashes = prompts.of(leaf, count)
  const fresh = manager.firstTier.allocate(count)
  await manager.write(fresh, bytesOf(hashes, manager.blockBytes))
  return manager.register(fresh, hashes)
}

/** The same, brought to disk, and forgotten above. */
export async function computeOnDisk(life: Life, leaf: number, count: number): Promise<void> {
  using kept = await compute(life, leaf, count)
  await life.manager.offload(kept, { to: 'disk' })
  kept.release()
  await life.manager.firstTier.resetBlocks(life.prompts.of(leaf, count))
}
