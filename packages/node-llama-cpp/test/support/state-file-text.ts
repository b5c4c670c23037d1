/** One stream of a state file, spelled out. The plain way to write the format, as an oracle for the codec. */
export interface StreamText {
  readonly positions: readonly number[]
  readonly layers?: readonly LayerText[]
  readonly transposed?: number
  readonly sequences?: number
  /** Adds the 12 bytes that models with several positions per token have in each cell. */
  readonly extras?: boolean
  readonly withoutValues?: boolean
}

export interface LayerText {
  readonly keyType: number
  readonly keyBytes: number
  readonly valueType: number
  readonly valueBytes: number
}

export interface StateText {
  readonly magic?: number
  readonly version?: number
  readonly tokens: readonly number[]
  readonly streams: readonly (StreamText | undefined)[]
}

/** Row bytes that say where they belong, so that a misplaced row shows. */
export function rowByte(layer: number, outer: number, position: number, index: number): number {
  return (layer * 83 + outer * 41 + position * 7 + index * 3) & 0xff
}

export function writeStateText(text: StateText): Uint8Array {
  const bytes: number[] = []
  const u32 = (value: number) => bytes.push(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24)
  u32(text.magic ?? 0x67677371)
  u32(text.version ?? 3)
  u32(text.tokens.length)
  for (const token of text.tokens) u32(token)
  u32(text.streams.length)
  for (const stream of text.streams) {
    u32(stream?.positions.length ?? 0)
    if (stream) writeStream(stream, u32, bytes)
  }
  return Uint8Array.from(bytes)
}

const LAYER: LayerText = { keyType: 1, keyBytes: 8, valueType: 1, valueBytes: 8 }

function writeStream(stream: StreamText, u32: (value: number) => void, bytes: number[]): void {
  const layers = stream.layers ?? [LAYER, LAYER]
  for (const position of stream.positions) {
    u32(position)
    u32(stream.sequences ?? 1)
    if (stream.extras) for (const word of [0, 0, 17]) u32(word)
    u32(0)
  }
  u32(stream.transposed ?? 0)
  u32(layers.length)
  for (const outer of stream.withoutValues ? [0] : [0, 1]) {
    for (const [layer, format] of layers.entries()) {
      const rowBytes = outer === 0 ? format.keyBytes : format.valueBytes
      u32(outer === 0 ? format.keyType : format.valueType)
      u32(rowBytes)
      u32(0)
      for (const position of stream.positions)
        for (let index = 0; index < rowBytes; index++) bytes.push(rowByte(layer, outer, position, index))
    }
  }
}

/** 0 … count − 1. */
export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}
