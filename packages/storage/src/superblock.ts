import { createHash } from 'node:crypto'
import { invalidArgument } from '@kvbm/core'

/*
 * The file slots.kvbm (docs/durability.md has it byte by byte): two copies of the superblock, the change counters, the
 * table of records. All places are fixed, so that a table can grow without moving anything.
 */
export const FORMAT_VERSION = 1
export const COPY_BYTES = 16_384
export const COUNTERS_OFFSET = 65_536
export const TABLE_OFFSET = 1_048_576
export const RECORD_BYTES = 64
export const SLOTS_PER_TABLE_SEGMENT = 4096
/** The counters of so many slots fill half of the room between the superblock and the table. */
export const SLOTS_MAX = 2 ** 28

const MAGIC = 'KVBMSLOT'
const HEADER_BYTES = 128
const CRC_OFFSET = 124
const HASH_OFFSET = 88
const HASH_BYTES = 32

export interface Superblock {
  readonly formatVersion: number
  /** Raised with each write of a copy, which lies in place `sequence mod 2`; of two valid copies the higher one counts. */
  readonly sequence: number
  /** Raised with each opening for writing. */
  readonly epoch: number
  /** No generation at or above this number was ever given to a record. */
  readonly generationFloor: number
  readonly slotBytes: number
  readonly slotStride: number
  /** Slots whose records may be in use; those beyond are free. */
  readonly numSlots: number
  readonly fingerprint: string
}

/** What stands in one copy's place. `torn`: begun and not finished, or damaged since. */
export type DecodedCopy = Superblock | 'empty' | 'torn' | 'foreign'

/** The part of the binding that these need. */
export interface Checksummer {
  crc32c(bytes: Uint8Array, seed?: number): number
}

function fingerprintHash(fingerprint: string): Uint8Array {
  return createHash('sha256').update(fingerprint, 'utf8').digest()
}

export function encodeSuperblock(superblock: Superblock, sums: Checksummer): Uint8Array {
  const text = new TextEncoder().encode(superblock.fingerprint)
  if (text.length > COPY_BYTES - HEADER_BYTES) {
    throw invalidArgument('fingerprint.length', `at most ${COPY_BYTES - HEADER_BYTES} bytes`, text.length)
  }
  const bytes = new Uint8Array(HEADER_BYTES + text.length)
  const view = new DataView(bytes.buffer)
  bytes.set(new TextEncoder().encode(MAGIC), 0)
  view.setUint32(8, superblock.formatVersion, true)
  view.setUint32(12, bytes.length, true)
  view.setBigUint64(16, BigInt(superblock.sequence), true)
  view.setBigUint64(24, BigInt(superblock.epoch), true)
  view.setBigUint64(32, BigInt(superblock.generationFloor), true)
  view.setBigUint64(40, BigInt(superblock.slotBytes), true)
  view.setBigUint64(48, BigInt(superblock.slotStride), true)
  view.setUint32(56, RECORD_BYTES, true)
  view.setUint32(60, SLOTS_PER_TABLE_SEGMENT, true)
  view.setBigUint64(64, BigInt(TABLE_OFFSET), true)
  view.setBigUint64(72, BigInt(COUNTERS_OFFSET), true)
  view.setUint32(80, superblock.numSlots, true)
  bytes.set(fingerprintHash(superblock.fingerprint), HASH_OFFSET)
  view.setUint32(120, text.length, true)
  bytes.set(text, HEADER_BYTES)
  view.setUint32(CRC_OFFSET, checksum(bytes, sums), true)
  return bytes
}

/**
 * Reads one copy. Places of magic, version, length, sequence, fingerprint and checksum are the same in every format
 * version, so an older program can tell a newer file from a damaged one.
 */
export function decodeCopy(bytes: Uint8Array, sums: Checksummer): DecodedCopy {
  if (bytes.every((byte) => byte === 0)) return 'empty'
  if (bytes.length < HEADER_BYTES) return 'torn'
  if (new TextDecoder('latin1').decode(bytes.subarray(0, 8)) !== MAGIC) return 'foreign'
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = view.getUint32(12, true)
  if (length < HEADER_BYTES || length > bytes.length) return 'torn'
  const used = bytes.slice(0, length)
  if (checksum(used, sums) !== view.getUint32(CRC_OFFSET, true)) return 'torn'
  return readFields(view, used)
}

/** The copy that counts: the valid one with the highest sequence; else the reason why there is none. */
export function chooseCopy(a: DecodedCopy, b: DecodedCopy): DecodedCopy {
  if (typeof a === 'string') return typeof b === 'string' ? worse(a, b) : b
  if (typeof b === 'string') return a
  return a.sequence >= b.sequence ? a : b
}

function worse(a: DecodedCopy, b: DecodedCopy): DecodedCopy {
  if (a === 'foreign' || b === 'foreign') return 'foreign'
  return a === 'torn' ? a : b
}

/** A checksum that holds says who wrote the bytes, not that they can be. */
function readFields(view: DataView, used: Uint8Array): Superblock | 'torn' {
  const long = (at: number): number => Number(view.getBigUint64(at, true))
  const fingerprint = readText(used.subarray(HEADER_BYTES))
  if (fingerprint === undefined || view.getUint32(120, true) !== used.length - HEADER_BYTES) return 'torn'
  const fields = {
    formatVersion: view.getUint32(8, true),
    sequence: long(16),
    epoch: long(24),
    generationFloor: long(32),
    slotBytes: long(40),
    slotStride: long(48),
    numSlots: view.getUint32(80, true),
    fingerprint,
  }
  return isPossible(fields) ? fields : 'torn'
}

/** Of a newer format only the sequence is known to be one. */
function isPossible({ formatVersion, sequence, numSlots, ...fields }: Superblock): boolean {
  if (!Number.isSafeInteger(sequence)) return false
  if (formatVersion > FORMAT_VERSION) return true
  const { epoch, generationFloor, slotBytes, slotStride } = fields
  return numSlots <= SLOTS_MAX && [epoch, generationFloor, slotBytes, slotStride].every(Number.isSafeInteger)
}

function readText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** CRC32C over everything but the field that holds it. */
function checksum(bytes: Uint8Array, sums: Checksummer): number {
  const head = sums.crc32c(bytes.subarray(0, CRC_OFFSET))
  return sums.crc32c(bytes.subarray(HEADER_BYTES), head)
}

/** First 16 hex digits of the fingerprint's SHA-256: the name of its directory. */
export function directoryNameOf(fingerprint: string): string {
  return Buffer.from(fingerprintHash(fingerprint).subarray(0, HASH_BYTES / 4)).toString('hex')
}
