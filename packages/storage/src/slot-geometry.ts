import { invalidArgument, positiveInteger } from '@kvbm/core'
import { RECORD_BYTES, SLOTS_MAX, TABLE_OFFSET } from './superblock.js'

/** Direct I/O wants addresses, offsets and lengths that are multiples of this. */
const DIRECT_IO_ALIGNMENT = 4096
export const DIRECT_IO_OFF = 'Direct I/O is off, as asked for.'
export const SEGMENT_BYTES_DEFAULT = 256 * 2 ** 20

export interface SlotGeometry {
  readonly numSlots: number
  readonly slotBytes: number
  /** Bytes from one slot's begin to the next one's. */
  readonly slotStride: number
  /** Slots in one growth segment of the data file. */
  readonly slotsPerSegment: number
  /** Bytes of the file of superblock and records. */
  readonly tableFileBytes: number
}

/**
 * Slots of at least 4,096 bytes begin at multiples of 4,096; smaller ones are packed. A growth segment holds as many
 * whole slots as fit into `segmentBytes`, at least one.
 */
export function slotGeometry(options: { numSlots: number; slotBytes: number; segmentBytes?: number }): SlotGeometry {
  const numSlots = positiveInteger('numSlots', options.numSlots)
  if (numSlots > SLOTS_MAX) throw invalidArgument('numSlots', `at most ${SLOTS_MAX}`, numSlots)
  const slotBytes = positiveInteger('slotBytes', options.slotBytes)
  if (slotBytes >= 2 ** 32) throw invalidArgument('slotBytes', `below 4 GiB (${2 ** 32})`, slotBytes)
  const segmentBytes = positiveInteger('segmentBytes', options.segmentBytes ?? SEGMENT_BYTES_DEFAULT)
  const slotStride = strideOf(slotBytes)
  const slotsPerSegment = Math.max(1, Math.floor(segmentBytes / slotStride))
  return { numSlots, slotBytes, slotStride, slotsPerSegment, tableFileBytes: TABLE_OFFSET + numSlots * RECORD_BYTES }
}

function strideOf(slotBytes: number): number {
  if (slotBytes < DIRECT_IO_ALIGNMENT) return slotBytes
  return Math.ceil(slotBytes / DIRECT_IO_ALIGNMENT) * DIRECT_IO_ALIGNMENT
}

/** Whether whole slots can bypass the page cache, and if not, why. */
export function directIoFor(slotBytes: number, wish: 'auto' | 'off'): { direct: boolean; note: string } {
  if (wish === 'off') return { direct: false, note: DIRECT_IO_OFF }
  if (slotBytes % DIRECT_IO_ALIGNMENT === 0) return { direct: true, note: '' }
  return {
    direct: false,
    note: `Direct I/O is off: ${slotBytes} bytes a slot are not a multiple of ${DIRECT_IO_ALIGNMENT}.`,
  }
}
