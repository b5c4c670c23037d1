import { createHash } from 'node:crypto'
import type { KvIdentity } from '@kvbm/connector'
import type { LlamaContext, LlamaModel } from 'node-llama-cpp'
import { VERSION } from '../state-file/state-file.js'
import { fingerprintAdapters } from './adapter-fingerprint.js'
import { fingerprintModel, type ModelFingerprint } from './model-fingerprint.js'

/** A model is read once, however many contexts it has. */
const FINGERPRINTS = new WeakMap<LlamaModel, ModelFingerprint | 'unknown'>()

/** Every fact that changes KV bytes. Undefined when the files of model or adapters cannot be told from others. */
export function identityOf(context: LlamaContext, loras: readonly string[]): KvIdentity | undefined {
  try {
    return readIdentity(context, loras)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
    return undefined
  }
}

function readIdentity(context: LlamaContext, loras: readonly string[]): KvIdentity | undefined {
  const { model, kvCacheKeyType, kvCacheValueType, flashAttention } = context
  const fingerprint = fingerprintOf(model)
  if (fingerprint === 'unknown') return undefined
  const { repo, release } = model.llama.llamaCppRelease
  return {
    name: model.filename ?? model.architecture,
    facts: {
      engine: `${repo} ${release}`,
      extendedRope: isRopeExtended(context),
      flashAttention,
      gpu: String(model.llama.gpu),
      gpuLayers: model.gpuLayers,
      keyType: kvCacheKeyType,
      modelModified: fingerprint.modified,
      modelSha256: fingerprint.sha256,
      modelSizeBytes: fingerprint.sizeBytes,
      settings: settingsOf(model),
      stateFormat: VERSION,
      valueType: kvCacheValueType,
    },
    loras: lorasOf(context, loras),
  }
}

/** What the user calls them, and which files they are. */
function lorasOf(context: LlamaContext, names: readonly string[]): readonly string[] {
  const files = fingerprintAdapters(context)
  return files === undefined ? names : [...names, `files:${files}`]
}

function fingerprintOf(model: LlamaModel): ModelFingerprint | 'unknown' {
  const known = FINGERPRINTS.get(model)
  if (known !== undefined) return known
  const fingerprint = fingerprintModel(model.fileInfo) ?? 'unknown'
  FINGERPRINTS.set(model, fingerprint)
  return fingerprint
}

/** The numbers that the architecture computes with, overrides of the caller included (RoPE base and scale among them). */
function settingsOf({ fileInfo }: LlamaModel): string {
  const { general, [general.architecture]: own } = fileInfo.metadata as unknown as Record<string, unknown> & {
    readonly general: { readonly architecture: string }
  }
  const text = JSON.stringify([general.architecture, own], (_, value) =>
    typeof value === 'bigint' ? `${value}n` : (value as unknown),
  )
  return createHash('sha256').update(text).digest('hex')
}

/** Some models turn positions by other factors once a context is longer than what they were trained on. */
function isRopeExtended({ contextSize, model }: LlamaContext): boolean {
  const rope = model.fileInfo.architectureMetadata.rope as
    | { scaling?: { original_context_length?: number } }
    | undefined
  return contextSize > (rope?.scaling?.original_context_length ?? model.trainContextSize)
}
