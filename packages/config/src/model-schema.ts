import { ConfigError, DType, dtypeWidthBytes, ELEMENT_DTYPES, type HashAlgorithm, type InnerOrder } from '@kvbm/core'
import { z } from 'zod'
import { frozen, isRecord, unbuilt } from './draft.js'
import { PAGE_SIZE_MAX } from './field-rules.js'
import { ALWAYS, check, guarded, integer, report } from './issues.js'

/** The shape of a model's KV cache, as written by hand. */
export interface ModelInput {
  /** Names the model in salts and fingerprints. Default `'default'`. */
  readonly modelId?: string | undefined
  readonly numLayers: number
  /** 2 for key and value, 1 for a fused cache (MLA). */
  readonly outerDim: number
  /** Tokens per block. */
  readonly pageSize: number
  /** Elements per token, layer and outer entry: KV heads × head size. Instead of or beside `kvHeads` and `headDim`. */
  readonly innerDim?: number | undefined
  readonly kvHeads?: number | undefined
  readonly headDim?: number | undefined
  /** Default `'fp16'`. */
  readonly dtype?: DType | undefined
  /** Bytes of one element, for callers that know no more: 1 is fp8-e4m3, 2 fp16, 4 fp32. Must agree with `dtype`. */
  readonly dtypeWidthBytes?: number | undefined
  /** Default `'nhd'`. */
  readonly innerOrder?: InnerOrder | undefined
  /** Default `'sha256'`. */
  readonly hashAlgorithm?: HashAlgorithm | undefined
}

/** The shape of a model's KV cache, checked and complete. */
export interface ModelConfig {
  readonly modelId: string
  readonly numLayers: number
  readonly outerDim: number
  readonly pageSize: number
  /** With an opaque dtype and no `innerDim` given: the bytes of a row. */
  readonly innerDim: number
  readonly kvHeads?: number
  readonly headDim?: number
  readonly dtype: DType
  readonly innerOrder: InnerOrder
  readonly hashAlgorithm: HashAlgorithm
}

const DTYPE_OF_WIDTH: Readonly<Record<number, DType>> = { 1: 'fp8-e4m3', 2: 'fp16', 4: 'fp32' }

function isDType(value: unknown): value is DType {
  if (typeof value === 'string') return (ELEMENT_DTYPES as readonly string[]).includes(value)
  if (!isRecord(value) || value.kind !== 'opaque' || Object.keys(value).length !== 2) return false
  return Number.isSafeInteger(value.bytesPerToken) && (value.bytesPerToken as number) >= 1
}

const count = integer(1)

/** Fields of `model` and the rules between them. */
export const modelSchema = z
  .strictObject({
    modelId: z.string().min(1).optional(),
    numLayers: count,
    outerDim: integer(1, 2),
    pageSize: integer(1, PAGE_SIZE_MAX),
    innerDim: count.optional(),
    kvHeads: count.optional(),
    headDim: count.optional(),
    dtype: guarded<DType>(isDType).optional(),
    dtypeWidthBytes: z.union([z.literal(1), z.literal(2), z.literal(4)]).optional(),
    innerOrder: z.enum(['nhd', 'hnd']).optional(),
    hashAlgorithm: z.enum(['sha256', 'xxh3']).optional(),
  })
  .superRefine((model, context) => {
    if (!isRecord(model)) return
    headsRule(model, context)
    rowRule(model, context)
    widthRule(model, context)
  }, ALWAYS)

type Fields = z.output<typeof modelSchema>

function headsRule({ kvHeads, headDim }: Fields, context: z.RefinementCtx): void {
  if ((kvHeads === undefined) === (headDim === undefined)) return
  const missing = kvHeads === undefined ? 'kvHeads' : 'headDim'
  report(context, [missing], undefined, {
    rule: 'required: kvHeads and headDim come together',
    remedy: `Give ${missing} too, or innerDim alone.`,
  })
}

function rowRule({ innerDim, kvHeads, headDim, dtype }: Fields, context: z.RefinementCtx): void {
  if (innerDim === undefined && kvHeads === undefined && headDim === undefined && !isOpaque(dtype)) {
    const remedy = 'Give innerDim: 1024, or kvHeads: 8 and headDim: 128 instead.'
    report(context, ['innerDim'], undefined, { rule: 'required: an integer of 1 or more', remedy })
  }
  if (!isCount(innerDim) || !isCount(kvHeads) || !isCount(headDim) || innerDim === kvHeads * headDim) return
  report(context, ['innerDim'], innerDim, {
    rule: `kvHeads × headDim = ${kvHeads} × ${headDim} = ${kvHeads * headDim}`,
    remedy: 'Leave innerDim out, or correct the one that is wrong.',
  })
}

function widthRule({ dtype, dtypeWidthBytes: width }: Fields, context: z.RefinementCtx): void {
  if (width === undefined || dtype === undefined || !isDType(dtype)) return
  if (typeof dtype === 'string' && dtypeWidthBytes(dtype) === width) return
  const rule =
    typeof dtype === 'string' ? `the width of ${dtype}, ${dtypeWidthBytes(dtype)}` : 'absent beside an opaque dtype'
  report(context, ['dtypeWidthBytes'], width, { rule, remedy: 'Leave dtypeWidthBytes out: dtype says it all.' })
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1
}

function isOpaque(dtype: unknown): boolean {
  return isRecord(dtype) && dtype.kind === 'opaque'
}

/** Fills the defaults of fields that were checked. */
export function resolveModel(fields: Fields): ModelConfig {
  const { dtypeWidthBytes: width, kvHeads, headDim } = fields
  const dtype = fields.dtype ?? (width === undefined ? 'fp16' : DTYPE_OF_WIDTH[width]!)
  const row = typeof dtype === 'string' ? 0 : dtype.bytesPerToken
  return frozen<ModelConfig>({
    modelId: fields.modelId ?? 'default',
    numLayers: fields.numLayers,
    outerDim: fields.outerDim,
    pageSize: fields.pageSize,
    innerDim: fields.innerDim ?? (kvHeads === undefined || headDim === undefined ? row : kvHeads * headDim),
    kvHeads,
    headDim,
    dtype: typeof dtype === 'string' ? dtype : DType.opaque(dtype.bytesPerToken),
    innerOrder: fields.innerOrder ?? 'nhd',
    hashAlgorithm: fields.hashAlgorithm ?? 'sha256',
  })
}

/** A complete model from a plain object or a builder. Throws `ConfigError` with every violation. */
export function parseModel(input: unknown): ModelConfig {
  const checked = check(modelSchema, unbuilt(input), ['model'])
  if (!checked.ok) throw new ConfigError(checked.issues)
  return resolveModel(checked.value)
}
