import { type ModelConfig, modelSalt } from '@kvbm/config'
import { PackedHashes } from '@kvbm/core'
import type { SlotTable } from '@kvbm/storage'
import { hashTokens } from '@kvbm/tokens'
import { type CachedModel, cachedModels, modelsNamed } from './cached-models.js'

/** Where a prompt leaves an earlier one. Plain JSON. */
export interface Difference {
  /** The first token that differs; absent when one prompt is the beginning of the other. */
  readonly token?: number
  /** Tokens of whole blocks that both have. */
  readonly sharedTokens: number
  readonly message: string
}

/** How far two prompts are the same, and what of it a cache of whole blocks can use. */
export function firstDifference(tokens: Uint32Array, before: Uint32Array, pageSize: number): Difference {
  const shorter = Math.min(tokens.length, before.length)
  let same = 0
  while (same < shorter && tokens[same] === before[same]) same++
  const sharedTokens = Math.floor(same / pageSize) * pageSize
  const use = `${sharedTokens} of ${tokens.length} tokens lie in whole blocks of ${pageSize} that both have.`
  if (same === shorter)
    return { sharedTokens, message: `The shorter prompt is the beginning of the longer one. ${use}` }
  const message = `Token ${same} is the first that differs: ${tokens[same]} here, ${before[same]} before. ${use}`
  return { token: same, sharedTokens, message }
}

export interface PromptOnDisk {
  readonly tokens: Uint32Array
  readonly model: string | undefined
  readonly tenant: string | undefined
  readonly exact: boolean
}

/** What one model's disk would give for a prompt. Plain JSON. */
export interface DiskExplanation {
  readonly name: string
  readonly directory: string
  readonly cachedTokens: number
  readonly reason: 'hit' | 'too-short' | 'no-block' | 'ends' | 'gap' | 'unreadable'
  readonly message: string
}

/** Looks a prompt up in the tables of a directory, without a lock. Damage of bytes is not looked for. */
export async function explainOnDisk(dir: string, prompt: PromptOnDisk): Promise<DiskExplanation[]> {
  return modelsNamed(await cachedModels(dir), prompt.model).map((cached) => explainModel(cached, prompt))
}

function explainModel({ title, name, table, model }: CachedModel, prompt: PromptOnDisk): DiskExplanation {
  const base = { name: title, directory: name, cachedTokens: 0 }
  if (typeof table === 'string' || model === undefined)
    return { ...base, reason: 'unreadable', message: 'Its table cannot be read: see kvbm inspect.' }
  if (model.hashAlgorithm !== 'sha256')
    return { ...base, reason: 'unreadable', message: 'Its blocks are named by xxh3, for a router: ask the router.' }
  return { ...base, ...lookUp(table, model, prompt) }
}

type Verdict = Pick<DiskExplanation, 'cachedTokens' | 'reason' | 'message'>

function lookUp({ records }: SlotTable, model: ModelConfig, { tokens, tenant, exact }: PromptOnDisk): Verdict {
  const { pageSize } = model
  const salt = modelSalt(model, { tenant, ...(exact && { flags: ['exact'] }) })
  // A restore leaves at least one token to evaluate.
  const names = hashTokens(tokens.subarray(0, -1), { salt, pageSize }).toHexArray()
  if (names.length === 0)
    return { cachedTokens: 0, reason: 'too-short', message: `Shorter than a block of ${pageSize} tokens and one more.` }
  const stored = new Set(new PackedHashes(records.hashes).toHexArray())
  const missing = names.findIndex((hash) => !stored.has(hash))
  if (missing < 0)
    return { cachedTokens: names.length * pageSize, reason: 'hit', message: 'All that can be is cached.' }
  return { cachedTokens: missing * pageSize, ...miss(names, stored, missing, pageSize) }
}

function miss(
  names: readonly string[],
  stored: ReadonlySet<string>,
  missing: number,
  pageSize: number,
): Pick<Verdict, 'reason' | 'message'> {
  const where = `Block ${missing}, tokens ${missing * pageSize} to ${(missing + 1) * pageSize - 1}, is not there`
  const later = names.slice(missing).filter((hash) => stored.has(hash)).length
  if (later > 0) return { reason: 'gap', message: `${where}, but ${later} later ones are: it was evicted.` }
  if (missing > 0)
    return { reason: 'ends', message: `${where}: the prompt goes another way, or was stored no further.` }
  return { reason: 'no-block', message: `${where}: not seen under this model, tenant and mode, or evicted.` }
}
