import { checkTenant, type KvCache } from '@kvbm/connector'
import type { LlamaContext, LlamaContextSequence } from 'node-llama-cpp'
import { override } from '../override.js'
import { ContextCache, type ContextCacheOptions } from './context-cache.js'
import type { RequestSettings } from './request-settings.js'
import { SequenceCache } from './sequence-cache.js'

/** How a context or sequence is cached. All of it is optional. */
export interface WithKvCacheOptions extends ContextCacheOptions, RequestSettings {}

const CONTEXTS = new WeakMap<LlamaContext, ContextCache>()
const SEQUENCES = new WeakMap<LlamaContextSequence, SequenceCache>()

/**
 * Puts a cache under a context (every sequence that it gives from now on) or under one sequence, and returns it: the very same object,
 * used as before. What is cached of a prompt is put into the sequence instead of evaluated, what is new is kept. A context has one cache;
 * its first use decides over `generated` and `loras`. Throws `TypeError` for a second cache and for a
 * tenant or adapters that are no text, `ClosedError` for a closed cache.
 */
export function withKvCache<T extends LlamaContext | LlamaContextSequence>(
  target: T,
  kv: KvCache,
  options: WithKvCacheOptions = {},
): T {
  const { tenant, exact, signal } = options
  checkTenant(tenant)
  const settings = { tenant, exact, signal }
  if (isContext(target)) contextCache(target, kv, options).sequenceSettings = settings
  else cacheSequence(target, contextCache(target.context, kv, options), settings)
  return target
}

/** What stands behind a sequence that `withKvCache` was given: its reports, and whose requests come next. */
export function kvCacheOf(sequence: LlamaContextSequence): SequenceCache | undefined {
  return SEQUENCES.get(sequence)
}

function isContext(target: LlamaContext | LlamaContextSequence): target is LlamaContext {
  return 'getSequence' in target
}

function contextCache(context: LlamaContext, kv: KvCache, options: ContextCacheOptions): ContextCache {
  const known = CONTEXTS.get(context)
  if (known === undefined) return connect(context, kv, options)
  if (known.kv !== kv)
    throw new TypeError('This context has another KV cache already. Use that one, or another context.')
  return known
}

function connect(context: LlamaContext, kv: KvCache, options: ContextCacheOptions): ContextCache {
  const cache = new ContextCache(context, kv, options)
  const [getSequence, dispose] = [context.getSequence.bind(context), context.dispose.bind(context)]
  CONTEXTS.set(context, cache)
  override(context, {
    getSequence: (options) => {
      const sequence = getSequence(options)
      if (cache.sequenceSettings !== undefined) cacheSequence(sequence, cache, cache.sequenceSettings)
      return sequence
    },
    dispose: async () => {
      await cache.close()
      await dispose()
    },
  })
  return cache
}

function cacheSequence(sequence: LlamaContextSequence, cache: ContextCache, settings: RequestSettings): void {
  if (!SEQUENCES.has(sequence)) SEQUENCES.set(sequence, new SequenceCache(sequence, cache, settings))
}
