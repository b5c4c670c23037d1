import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type KvCache, kvCacheOf, openKvCache } from '@kvbm/node-llama-cpp'
import type { LlamaContextSequence, Token } from 'node-llama-cpp'
import { dropPageCache } from './drop-page-cache.js'
import type { Engine, Settings } from './engine.js'
import { firstTokenAfter, firstTokenMs } from './first-token.js'
import { loadAndAsk } from './load-and-ask.js'
import { askAfterRestart, type RestartTask } from './restarted.js'
import type { Sample, Way } from './way.js'

/** Where all ways take place. */
export interface World {
  readonly engine: Engine
  /** The engine's fastest for a cold prompt. */
  readonly fastest: Settings
  /** The same with flash attention, without which a state cannot be cut into blocks. */
  readonly settings: Settings
  readonly prefix: readonly Token[]
  readonly contextTokens: number
  readonly directory: string
}

/** All of the prompt is evaluated. */
export async function cold({ engine, fastest, contextTokens, prefix }: World): Promise<Way> {
  const sequence = await engine.sequence(fastest, { contextTokens })
  const ask = async (tail: readonly Token[]): Promise<Sample> => {
    await sequence.clearHistory()
    return { ms: await firstTokenMs(sequence, [...prefix, ...tail]) }
  }
  return { name: 'cold', ask }
}

/** Blocks in the memory of this process. */
export async function fromHost(
  world: World,
): Promise<Way & { readonly storedBytes: number; readonly sequence: LlamaContextSequence; readonly kv: KvCache }> {
  const kv = await openKvCache({ host: '3GiB', modelsMax: 1 })
  const sequence = await filled(world, kv)
  const cache = kvCacheOf(sequence)!
  const ask = async (tail: readonly Token[]): Promise<Sample> => {
    await sequence.clearHistory()
    const ms = await firstTokenAfter(sequence, [...world.prefix, ...tail], tail.length)
    await cache.settled()
    return { ms, restoreMs: cache.lastReport!.restoreMs }
  }
  return { name: 'from host', ask, sequence, kv, storedBytes: kv.status().models[0]!.manager!.tiers.host!.usedBytes }
}

/** Blocks on disk that another process wrote, whose pages the system has forgotten. */
export async function fromDisk(world: World): Promise<Way> {
  const dir = join(world.directory, 'blocks')
  const kv = await openKvCache({ dir, modelsMax: 1 })
  const sequence = await filled(world, kv)
  await sequence.context.dispose()
  await kv.close()
  return { name: 'from disk after restart', ask: (tail) => restart(world, tail, { kind: 'cache', path: dir }) }
}

/** The best inside one process without us: a sequence that still holds the prefix and nothing else. */
export async function keptSequence({ engine, settings, contextTokens, prefix }: World): Promise<Way> {
  const sequence = await engine.sequence(settings, { contextTokens })
  await sequence.evaluateWithoutGeneratingNewTokens([...prefix])
  const ask = async (tail: readonly Token[]): Promise<Sample> => {
    await sequence.eraseContextTokenRanges([{ start: prefix.length, end: sequence.nextTokenIndex }])
    return { ms: await firstTokenAfter(sequence, tail, tail.length) }
  }
  return { name: 'sequence kept by the engine', ask }
}

/** The best over restarts without us: one state file for the prefix, read from the page cache, and after a restart. */
export async function stateFiles(
  world: World,
): Promise<{ readonly ways: readonly Way[]; readonly storedBytes: number }> {
  const { engine, settings, contextTokens, prefix, directory } = world
  await mkdir(join(directory, 'state'))
  const path = join(directory, 'state', 'prefix.bin')
  const sequence = await engine.sequence(settings, { contextTokens })
  await sequence.evaluateWithoutGeneratingNewTokens([...prefix])
  await sequence.saveStateToFile(path)
  const ways: Way[] = [
    { name: 'state file, in the page cache', ask: (tail) => loadAndAsk(sequence, { tail, path }) },
    { name: 'state file after restart', ask: (tail) => restart(world, tail, { kind: 'state-file', path }) },
  ]
  return { ways, storedBytes: (await stat(path)).size }
}

async function restart(
  { engine, settings, contextTokens, prefix, directory }: World,
  tail: readonly Token[],
  from: RestartTask['from'],
): Promise<Sample> {
  await dropPageCache(directory)
  return askAfterRestart({ modelPath: engine.modelPath, settings, contextTokens, prefix, tail, from })
}

/** A sequence over a cache that has the prefix. */
async function filled({ engine, settings, contextTokens, prefix }: World, kv: KvCache): Promise<LlamaContextSequence> {
  const sequence = await engine.sequence(settings, { contextTokens, kv })
  await sequence.evaluateWithoutGeneratingNewTokens([...prefix])
  await kvCacheOf(sequence)!.settled()
  return sequence
}
