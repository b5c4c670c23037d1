import { describe, test } from 'vitest'
import {
  type DriverWorld,
  driverConformance,
  MemoryDriver,
  MemoryEngine,
  type MemorySlot,
} from '../src/testing/index.js'
import { prompt } from './world.js'

describe.each(['file', 'memory'] as const)('the in-memory engine through %s is a driver:', (through) => {
  for (const { name, run } of driverConformance(() => makeWorld(through))) test(name, run)
})

function makeWorld(through: 'file' | 'memory'): DriverWorld<MemorySlot> {
  const engine = new MemoryEngine({ capacityTokens: 256 })
  return {
    driver: new MemoryDriver(engine, { through }),
    emptySlot: () => engine.slot(),
    tokens: prompt,
    evaluate: (slot, tokens) => engine.evaluate(slot, tokens),
    length: (slot) => slot.length,
    observe: (slot) => engine.logits(slot),
    decline: (support) => {
      engine.faults.support = support
    },
  }
}
