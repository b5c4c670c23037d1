import { types } from 'node:util'
import { BLOCKS_MAX, invalidArgument, positiveInteger, type TransferJob, type TransposedTable } from '@kvbm/core'
import { type DiskPace, IN_BACKGROUND, ON_THREADS, type RecoverOptions, type SlotRows } from './binding.js'

// The native core refuses values of another kind; bindings in JavaScript must too, because it would make something of most of
// them. Numbers throw `RangeError`, things of another kind `TypeError`; both name the argument. Types are asked of the engine and
// not by `instanceof`: arrays of another context are arrays.

const WORD_MAX = 2 ** 32 - 1

export function bytesArgument(name: string, value: Uint8Array): Uint8Array {
  return attached(name, checked(name, 'a Uint8Array', types.isUint8Array(value), value))
}

export function wordsArgument(name: string, value: Uint32Array): Uint32Array {
  return attached(name, checked(name, 'a Uint32Array', types.isUint32Array(value), value))
}

export function doublesArgument(name: string, value: Float64Array): Float64Array {
  return attached(name, checked(name, 'a Float64Array', types.isFloat64Array(value), value))
}

export function objectArgument<T extends object>(name: string, value: T): T {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function'
  return checked(name, 'an object', isObject, value)
}

export function textArgument(name: string, value: string): string {
  return checked(name, 'a string', typeof value === 'string', value)
}

/** Any number, NaN too. */
export function numberArgument(name: string, value: number): number {
  if (typeof value !== 'number') throw invalidArgument(name, 'a number', value)
  return value
}

/** An integer of 32 bits without a sign. */
export function wordArgument(name: string, value: number): number {
  return integerArgument(name, value, { min: 0, max: WORD_MAX })
}

export function integerArgument(
  name: string,
  value: number,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  const inRange = Number.isInteger(value) && value >= min && value <= max
  if (!inRange) throw invalidArgument(name, `an integer of ${min} to ${max}`, value)
  return value
}

/** The same bounds as the native engine's. */
export const ENGINE_THREADS_MAX = 1024
const REQUEST_BYTES_STEP = 4096
const REQUEST_BYTES_MAX = 2 ** 30

export function paceArgument(pace: DiskPace): DiskPace {
  const { depth, requestBytes } = objectArgument('pace', pace)
  integerArgument('depth', depth, { min: 1, max: ENGINE_THREADS_MAX })
  integerArgument('requestBytes', requestBytes, { min: REQUEST_BYTES_STEP, max: REQUEST_BYTES_MAX })
  if (requestBytes % REQUEST_BYTES_STEP !== 0)
    throw invalidArgument('requestBytes', `a multiple of ${REQUEST_BYTES_STEP}`, requestBytes)
  return { depth, requestBytes }
}

type Sums = NonNullable<TransferJob['sums']>

/** A job with fields that cannot be exchanged any more; its rows are still the caller's. */
export function jobArgument(job: TransferJob): TransferJob {
  const { runs, sums, transpose } = objectArgument('job', job)
  doublesArgument('runs', runs)
  return {
    runs,
    ...(sums === undefined ? {} : { sums: sumsArgument(sums) }),
    ...(transpose === undefined ? {} : { transpose: transposeArgument(transpose) }),
  }
}

export function recoverArgument(options: RecoverOptions): RecoverOptions {
  const { numSlots, storedSlots, slotBytes } = objectArgument('options', options)
  integerArgument('options.numSlots', numSlots, { min: 0, max: BLOCKS_MAX })
  integerArgument('options.storedSlots', storedSlots, { min: 0, max: numSlots })
  wordArgument('options.slotBytes', slotBytes)
  return { numSlots, storedSlots, slotBytes }
}

/** Flags of `submit`. */
export function flagsArgument(flags: number): number {
  return integerArgument('flags', flags, { min: 0, max: IN_BACKGROUND | ON_THREADS })
}

function transposeArgument(transpose: TransposedTable): TransposedTable {
  const { rows, columns, cellBytes } = objectArgument('transpose', transpose)
  positiveInteger('transpose.rows', rows)
  positiveInteger('transpose.columns', columns)
  positiveInteger('transpose.cellBytes', cellBytes)
  return { rows, columns, cellBytes }
}

function sumsArgument(sums: Sums): Sums {
  const { pieces, into, when } = objectArgument('sums', sums)
  doublesArgument('sums.pieces', pieces)
  wordsArgument('sums.into', into)
  if (when !== 'before' && when !== 'after') throw invalidArgument('sums.when', "'before' or 'after'", when)
  return { pieces, into, when }
}

const WORD_COLUMNS = ['slots', 'hashes', 'parents', 'positions', 'lengths', 'checksums'] as const

/** Rows whose columns are of the right types; their lengths are not looked at. */
export function rowsArgument(rows: SlotRows): SlotRows {
  objectArgument('rows', rows)
  for (const name of WORD_COLUMNS) wordsArgument(`rows.${name}`, rows[name])
  doublesArgument('rows.generations', rows.generations)
  return rows
}

function checked<T>(name: string, expected: string, ok: boolean, value: T): T {
  if (!ok) throw new TypeError(`${name}: expected ${expected}`)
  return value
}

function attached<T extends ArrayBufferView>(name: string, view: T): T {
  if (view.byteLength === 0 && isDetached(view.buffer)) throw new TypeError(`${name}: its buffer was transferred away`)
  return view
}

/** Node 20 has no `ArrayBuffer.prototype.detached`. */
function isDetached(buffer: ArrayBufferLike): boolean {
  try {
    new Uint8Array(buffer)
    return false
  } catch {
    return true
  }
}
