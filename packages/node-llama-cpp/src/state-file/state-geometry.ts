import { type BlockShape, DType, type ElementDType } from '@kvbm/core'
import type { GgmlType } from '../ggml-type.js'

/** How one token's key (or value) of one layer is stored. */
export interface RowFormat {
  readonly type: GgmlType
  readonly rowBytes: number
}

/** What a sequence's KV cache looks like, the same in every layer. `value` is absent where keys carry both (MLA). */
export interface StateGeometry {
  readonly numLayers: number
  readonly key: RowFormat
  readonly value: RowFormat | undefined
}

/** Bytes of one token in all layers. */
export function tokenBytes({ numLayers, key, value }: StateGeometry): number {
  return numLayers * (key.rowBytes + (value?.rowBytes ?? 0))
}

/**
 * The house's shape of a block of `pageSize` tokens. Quantised rows are opaque, and `innerDim` then counts their bytes. Keys and
 * values of different widths are one opaque region per layer, all keys before all values; the bytes of a block are the same.
 */
export function blockShapeOf(geometry: StateGeometry, pageSize: number): BlockShape {
  const { numLayers, key, value } = geometry
  if (value === undefined || sameFormat(key, value))
    return { numLayers, outerDim: value ? 2 : 1, pageSize, ...rowShape(key) }
  const bytes = key.rowBytes + value.rowBytes
  return { numLayers, outerDim: 1, pageSize, innerDim: bytes, dtype: DType.opaque(bytes) }
}

/** Whether blocks of one fit the other, byte for byte. */
export function sameGeometry(a: StateGeometry, b: StateGeometry): boolean {
  return a.numLayers === b.numLayers && sameFormat(a.key, b.key) && sameFormat(a.value, b.value)
}

/** Offset, in a block's canonical bytes, of row `row` of a layer's keys (`outer` 0) or values (`outer` 1). */
export function rowOffset(
  geometry: StateGeometry,
  pageSize: number,
  at: { readonly layer: number; readonly outer: 0 | 1; readonly row: number },
): number {
  const keyBytes = pageSize * geometry.key.rowBytes
  const valueBytes = pageSize * (geometry.value?.rowBytes ?? 0)
  const start = at.layer * (keyBytes + valueBytes)
  if (at.outer === 0) return start + at.row * geometry.key.rowBytes
  return start + keyBytes + at.row * (geometry.value?.rowBytes ?? 0)
}

const ELEMENT_TYPES: ReadonlyMap<string, ElementDType> = new Map([
  ['F32', DType.FP32],
  ['F16', DType.FP16],
  ['BF16', DType.BF16],
])

function rowShape({ type, rowBytes }: RowFormat): Pick<BlockShape, 'innerDim' | 'dtype'> {
  const dtype = ELEMENT_TYPES.get(type.name)
  if (dtype) return { innerDim: rowBytes / type.blockBytes, dtype }
  return { innerDim: rowBytes, dtype: DType.opaque(rowBytes) }
}

function sameFormat(a: RowFormat | undefined, b: RowFormat | undefined): boolean {
  return a?.rowBytes === b?.rowBytes && a?.type.id === b?.type.id
}
