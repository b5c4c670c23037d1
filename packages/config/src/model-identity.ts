import { DType, dtypeName } from '@kvbm/core'
import { KvManagerModelConfig } from './model-config.js'
import type { ModelConfig, ModelInput } from './model-schema.js'
import { checkSaltOptions, type SaltOptions } from './salt-options.js'

/** Raised when bytes written under the same facts would mean something else. */
const FINGERPRINT_VERSION = 1

/**
 * What isolates the names of blocks, as canonical JSON text: model, KV dtype, inner order, adapters, tenant, and flags where
 * there are any. Sequences that differ in any of these share nothing. Throws `TypeError` for options that it does not know.
 */
export function modelSalt(model: ModelConfig, options: SaltOptions = {}): string {
  checkSaltOptions(options)
  const { tenant, loras = [], flags = [] } = options
  return JSON.stringify({
    modelId: model.modelId,
    dtype: dtypeName(model.dtype),
    innerOrder: model.innerOrder,
    loras: [...new Set(loras)].sort(),
    tenant: tenant ?? null,
    // Left out when empty: blocks named before there were flags keep their names.
    ...(flags.length === 0 ? {} : { flags: [...new Set(flags)].sort() }),
  })
}

/**
 * What decides whether a disk directory or a peer may give us its blocks, as canonical JSON text: model, geometry,
 * canonical byte order, dtype, hash algorithm, format version. Neither tenant nor adapters, and no tier's layout.
 */
export function modelFingerprint(model: ModelConfig): string {
  return JSON.stringify({
    version: FINGERPRINT_VERSION,
    modelId: model.modelId,
    numLayers: model.numLayers,
    outerDim: model.outerDim,
    pageSize: model.pageSize,
    innerDim: model.innerDim,
    dtype: dtypeName(model.dtype),
    byteOrder: byteOrder(model),
    hashAlgorithm: model.hashAlgorithm,
  })
}

// Heads matter only where they stand before the tokens; otherwise innerDim alone says what the bytes are.
function byteOrder({ innerOrder, kvHeads, headDim }: ModelConfig): string {
  if (innerOrder === 'nhd') return 'layer,outer,token,inner'
  return `layer,outer,head,token,dim:${kvHeads ?? '?'}x${headDim ?? '?'}`
}

/** The model that a fingerprint stands for; undefined for a text that is none of this version. */
export function fingerprintModel(fingerprint: string): ModelConfig | undefined {
  try {
    const { version, byteOrder: order, dtype, ...shape } = JSON.parse(fingerprint)
    const model = KvManagerModelConfig.parse({ ...shape, ...headsOf(order), dtype: dtypeNamed(dtype) })
    return version === FINGERPRINT_VERSION && modelFingerprint(model) === fingerprint ? model : undefined
  } catch {
    return undefined
  }
}

function headsOf(order: string): Partial<ModelInput> {
  const [, kvHeads, headDim] = /:(\d+)x(\d+)$/.exec(order) ?? []
  if (!order.includes('head')) return {}
  return { innerOrder: 'hnd', ...(kvHeads !== undefined && { kvHeads: Number(kvHeads), headDim: Number(headDim) }) }
}

function dtypeNamed(name: string): DType {
  const [, bytesPerToken] = /^opaque:(\d+)$/.exec(name) ?? []
  return bytesPerToken === undefined ? (name as DType) : DType.opaque(Number(bytesPerToken))
}
