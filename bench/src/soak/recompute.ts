import { type KvCache, kvCacheOf, openKvCache } from '@kvbm/node-llama-cpp'
import type { Token } from 'node-llama-cpp'
import { Engine } from '../engine/engine.js'
import { wrapDrivers } from '../engine/wrap-drivers.js'
import { type BlockTap, TappedDriver } from './tapped-driver.js'

/** How far blocks lie apart: the largest over all of them, each the length of its difference ÷ its own length. */
export interface Recomputed {
  readonly blocks: number
  /** Restored, against computed in an empty cache. */
  readonly difference: number
  /** Computed in batches of 32 rows, against computed in batches of 512: what the engine itself makes of a prompt. */
  readonly engineDifference: number
}

type Prompts = readonly (readonly Token[])[]
type Blocks = ReadonlyMap<string, Buffer>

/** Restores prompts from a cache that was filled under load, computes them in empty ones, and compares the values (F16). */
export async function recompute(modelPath: string, dir: string, prompts: Prompts): Promise<Recomputed> {
  await using engine = await Engine.load(modelPath)
  const restored = await restoredBlocks(engine, prompts, dir)
  const computed = await computedBlocks(engine, prompts, 512)
  const otherwise = await computedBlocks(engine, prompts, 32)
  const engineDifference = largestDifference(otherwise, computed)
  return { blocks: restored.size, difference: largestDifference(restored, computed), engineDifference }
}

async function restoredBlocks(engine: Engine, prompts: Prompts, dir: string): Promise<Blocks> {
  const found = new Map<string, Buffer>()
  const restored = (name: string, bytes: Buffer): void => void found.set(name, bytes)
  await using kv = tapped(await openKvCache({ dir, modelsMax: 1 }), { ...WATCH_NOTHING, restored })
  await evaluateEach(engine, kv, prompts, 512)
  return found
}

async function computedBlocks(engine: Engine, prompts: Prompts, batchTokens: number): Promise<Blocks> {
  const found = new Map<string, Buffer>()
  const captured = (name: string, bytes: Buffer): void => void found.set(name, bytes)
  await using kv = tapped(await openKvCache({ modelsMax: 1 }), { ...WATCH_NOTHING, captured })
  await evaluateEach(engine, kv, prompts, batchTokens)
  return found
}

function tapped(kv: KvCache, tap: BlockTap): KvCache {
  return wrapDrivers(kv, (driver) => new TappedDriver(driver, tap))
}

const WATCH_NOTHING: BlockTap = { wants: () => true, captured: () => {}, restored: () => {} }

async function evaluateEach(engine: Engine, kv: KvCache, prompts: Prompts, batchTokens: number): Promise<void> {
  const settings = { threads: engine.cores, batchTokens, flashAttention: true }
  const sequence = await engine.sequence(settings, { contextTokens: 1024, kv })
  for (const prompt of prompts) {
    await sequence.clearHistory()
    await sequence.evaluateWithoutGeneratingNewTokens([...prompt])
    await kvCacheOf(sequence)!.settled()
  }
}

function largestDifference(some: Blocks, others: Blocks): number {
  const differences = [...some].map(([name, bytes]) => (others.has(name) ? differenceOf(bytes, others.get(name)!) : 0))
  return Math.max(0, ...differences)
}

/** Of two blocks of F16 values: the length of their difference ÷ the length of the second one. */
export function differenceOf(some: Buffer, others: Buffer): number {
  let [difference, length] = [0, 0]
  for (let at = 0; at < some.length; at += 2) {
    const [a, b] = [halfFloat(some.readUInt16LE(at)), halfFloat(others.readUInt16LE(at))]
    difference += (a - b) ** 2
    length += b ** 2
  }
  return Math.sqrt(difference / length)
}

function halfFloat(bits: number): number {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023]
  if (exponent === 0) return sign * 2 ** -24 * fraction
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * 2 ** (exponent - 15) * (1 + fraction / 1024)
}
