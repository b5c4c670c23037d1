import { basename } from 'node:path'
import { type DiskIo, DisposeStack, type Logger, silentLogger } from '@kvbm/core'
import type { Binding, FileRegion, RecoveredSlots } from '@kvbm/native'
import { ChangeCounters } from './change-counters.js'
import { choosePace } from './choose-pace.js'
import { lockOrThrow } from './directory-lock.js'
import type { ChosenPace } from './disk-pace.js'
import { fileSpace } from './file-space.js'
import { FileStorage } from './file-storage.js'
import { growthNotes } from './growth-kind.js'
import { SegmentedGrowth } from './segmented-growth.js'
import {
  checkSlotDirectory,
  claimSlotDirectory,
  createTable,
  type Expectation,
  inspectTable,
  openTable,
  type SlotPaths,
} from './slot-directory.js'
import { GENERATIONS_AHEAD, SlotFile } from './slot-file.js'
import { directIoFor, type SlotGeometry, slotGeometry } from './slot-geometry.js'
import { SlotPlace } from './slot-place.js'
import type { SlotQuota } from './slot-quota.js'
import { type Superblock, TABLE_OFFSET } from './superblock.js'
import { writeSuperblock } from './superblock-file.js'
import type { NativeTransferRuntime } from './transfer-runtime.js'

/** What the slots are for, how many, and how large. */
export interface OpenSlotsOptions {
  /** Canonical text of everything that decides whether blocks may be reused; its hash names the sub-directory. */
  readonly fingerprint: string
  /** May differ from the last time: records beyond it are dropped, new slots are free. */
  readonly numSlots: number
  /** Bytes of one block. */
  readonly slotBytes: number
  /** Most bytes that the data file grows by at once. Default 256 MiB. */
  readonly segmentBytes?: number
  /** Who read these slots beside their writer until now: only what it has open is taken over, where it still lies. Nothing is made anew. */
  readonly after?: InPlace | undefined
  readonly logger?: Logger
}

/** Knows which files it has open. */
export interface InPlace {
  /** Rejects with `StorageIoError` where they are not found any more under their names. */
  expectInPlace(): Promise<void>
}

/** Where slots are opened and by whom. */
export interface OpenSlotsPlace {
  readonly root: string
  readonly runtime: NativeTransferRuntime
  readonly directIo: 'auto' | 'off'
  readonly io: DiskIo
  /** Asked before the file grows. Default: it grows as long as the disk has room. */
  readonly quota?: SlotQuota | undefined
}

/** The files of one fingerprint, locked and open. */
interface Opening {
  readonly quota: SlotQuota | undefined
  readonly binding: Binding
  readonly paths: SlotPaths
  readonly geometry: SlotGeometry
  readonly found: Superblock
  readonly table: FileRegion
  readonly data: FileRegion
  readonly directIoNote: string
  readonly pace: ChosenPace
}

/** What the scan found, after what does not fit was freed. */
interface Recovery {
  readonly superblock: Superblock
  readonly recovered: RecoveredSlots
}

/**
 * Opens or makes the slot file of one fingerprint. Order: look (refuse what is foreign before anything changes), lock,
 * look again, raise the writer epoch, and only then change records.
 */
export async function openSlotFile(place: OpenSlotsPlace, options: OpenSlotsOptions): Promise<SlotFile> {
  const geometry = slotGeometry(options)
  const owned = new DisposeStack()
  try {
    const opening = await openFiles(place, options, geometry, owned)
    await growTable(opening)
    const recovery = await recover(opening)
    report(options.logger ?? silentLogger, opening.paths, recovery)
    return await assemble(opening, recovery, owned)
  } catch (error) {
    await owned.close()
    throw error
  }
}

async function openFiles(
  { root, runtime, directIo, io, quota }: OpenSlotsPlace,
  { fingerprint, after, logger }: OpenSlotsOptions,
  geometry: SlotGeometry,
  owned: DisposeStack,
): Promise<Opening> {
  const { binding } = runtime
  const { numSlots, slotBytes, slotStride } = geometry
  const expected: Expectation = { fingerprint, slotBytes, slotStride }
  const paths = await (after === undefined ? claimSlotDirectory : checkSlotDirectory)(root, fingerprint)
  await inspectTable(binding, paths, expected)
  const lock = await lockOrThrow(binding, paths.directory, paths.lock)
  owned.defer(() => lock.release())
  // Another directory may lie here since, whose lock says nothing of who writes the one that was read.
  await after?.expectInPlace()
  const found = (await inspectTable(binding, paths, expected)) ?? (await createTable(binding, paths, expected))
  const opened = async (file: Promise<FileRegion>): Promise<FileRegion> => {
    const region = await file
    owned.defer(() => binding.closeRegion(region.id))
    return region
  }
  const { direct, note } = directIoFor(slotBytes, directIo)
  const table = await opened(openTable(binding, paths, directIo === 'auto'))
  const data = await opened(binding.openFile({ path: paths.data, write: true, create: true, direct }))
  const size = { slotBytes, sizeBytes: numSlots * slotStride }
  const pace = await choosePace({ binding, directory: paths.directory, direct: data.direct, io, logger, ...size })
  owned.defer(runtime.keepPace(pace))
  return { quota, binding, paths, geometry, found, table, data, directIoNote: note, pace }
}

async function assemble(opening: Opening, recovery: Recovery, owned: DisposeStack): Promise<SlotFile> {
  const { binding, geometry, table, paths } = opening
  const { superblock, recovered } = recovery
  const growth = growthOf(opening)
  return new SlotFile({
    binding,
    place: await SlotPlace.of(paths),
    table: table.id,
    storage: owned.use(storageOf(opening, recovery, growth)),
    geometry,
    growth,
    counters: await ChangeCounters.read(binding, table.id, geometry.numSlots),
    superblock,
    recovered,
    nextGeneration: superblock.generationFloor - GENERATIONS_AHEAD,
    owned,
  })
}

function storageOf(opening: Opening, { superblock, recovered }: Recovery, growth: SegmentedGrowth): FileStorage {
  const { binding, paths, data, directIoNote, geometry, pace } = opening
  const { numSlots: slots, slotBytes, slotStride } = geometry
  const found = { recovered: recovered.count, dropped: recovered.dropped.length, damaged: recovered.damaged }
  const io = { ioDepth: pace.depth, ioRequestBytes: pace.requestBytes, ioChosenBy: pace.chosenBy }
  const fixed = { slots, slotBytes, slotStride, epoch: superblock.epoch, ...io, ...found }
  return new FileStorage({
    binding,
    region: data,
    path: paths.data,
    sizeBytes: slots * slotStride,
    facts: () => ({ ...fixed, growth: growth.kind ?? 'none yet', reservedBytes: growth.reservedBytes }),
    notes: () => growthNotes(growth.kind),
    directIoNote,
  })
}

/** Records are few bytes: room for all of them is taken at once, so that a commit never finds the disk full. */
async function growTable({ binding, geometry, table }: Opening): Promise<void> {
  const missing = geometry.tableFileBytes - table.sizeBytes
  if (missing > 0) await binding.reserveFile(table.id, table.sizeBytes, missing)
}

/**
 * One scan. Raises epoch and generation floor before it changes anything else; then frees records that do not fit:
 * beyond the slots wanted now, of another length, or of bytes that the data file no longer has.
 */
async function recover(opening: Opening): Promise<Recovery> {
  const { binding, table, geometry, found } = opening
  const { numSlots } = geometry
  const tableSlots = Math.max(numSlots, found.numSlots)
  const fitting = { numSlots, storedSlots: storedSlots(opening), slotBytes: geometry.slotBytes }
  const recovered = await binding.recoverSlots(table.id, TABLE_OFFSET, tableSlots, fitting)
  const { dropped, lastGeneration } = recovered
  const generationFloor = Math.max(lastGeneration + 1, found.generationFloor) + GENERATIONS_AHEAD
  const raised = { ...found, epoch: found.epoch + 1, generationFloor, numSlots: tableSlots }
  let superblock = await writeSuperblock(binding, table.id, raised)
  await binding.syncFile(table.id)
  if (dropped.length > 0) await binding.clearSlots(table.id, TABLE_OFFSET, dropped)
  if (tableSlots > numSlots) superblock = await writeSuperblock(binding, table.id, { ...superblock, numSlots })
  return { superblock, recovered }
}

/** Slots whose bytes the data file has. */
function storedSlots({ geometry, data }: Opening): number {
  const { numSlots, slotBytes, slotStride } = geometry
  const whole = data.sizeBytes < slotBytes ? 0 : Math.floor((data.sizeBytes - slotBytes) / slotStride) + 1
  return Math.min(numSlots, whole)
}

function growthOf({ quota, binding, geometry, paths, data }: Opening): SegmentedGrowth {
  const { numSlots, slotStride, slotsPerSegment } = geometry
  return new SegmentedGrowth({
    binding,
    region: data.id,
    sizeBytes: numSlots * slotStride,
    segmentBytes: slotsPerSegment * slotStride,
    space: () => fileSpace(paths.data),
    withRoom: quota && ((bytes, grow) => quota.growing(basename(paths.directory), bytes, grow)),
  })
}

function report(logger: Logger, { directory }: SlotPaths, { recovered }: Recovery): void {
  const { count, damaged, dropped } = recovered
  logger.info(`Slot file ${directory}: ${count} blocks found again.`)
  if (dropped.length + damaged === 0) return
  logger.warn(`Slot file ${directory}: ${dropped.length} records dropped, ${damaged} damaged; their slots are free.`)
}
