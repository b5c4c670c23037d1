import { DisposeStack, type Logger, silentLogger } from '@kvbm/core'
import type { Binding, FileRegion, SlotRecords } from '@kvbm/native'
import { ChangeCounters } from './change-counters.js'
import { lockOrThrow } from './directory-lock.js'
import { FileStorage } from './file-storage.js'
import { SegmentedGrowth } from './segmented-growth.js'
import {
  claimSlotDirectory,
  createTable,
  type Expectation,
  inspectTable,
  openTable,
  type SlotPaths,
} from './slot-directory.js'
import { GENERATIONS_AHEAD, SlotFile } from './slot-file.js'
import { directIoFor, type SlotGeometry, slotGeometry } from './slot-geometry.js'
import { nextGeneration, partitionRecords, selectRecords } from './slot-records.js'
import { type Superblock, TABLE_OFFSET } from './superblock.js'
import { writeSuperblock } from './superblock-file.js'

export interface OpenSlotsOptions {
  /** Canonical text of everything that decides whether blocks may be reused; its hash names the sub-directory. */
  readonly fingerprint: string
  /** May differ from the last time: records beyond it are dropped, new slots are free. */
  readonly numSlots: number
  /** Bytes of one block. */
  readonly slotBytes: number
  /** Most bytes that the data file grows by at once. Default 256 MiB. */
  readonly segmentBytes?: number
  readonly logger?: Logger
}

/** Where slots are opened and by whom. */
export interface OpenSlotsPlace {
  readonly root: string
  readonly binding: Binding
  readonly directIo: 'auto' | 'off'
}

interface Opening {
  readonly binding: Binding
  readonly paths: SlotPaths
  readonly geometry: SlotGeometry
  readonly table: number
  readonly data: FileRegion
}

/**
 * Opens or makes the slot file of one fingerprint. Order: look (refuse what is foreign before anything changes), lock,
 * look again, raise the writer epoch, and only then change records.
 */
export async function openSlotFile(place: OpenSlotsPlace, options: OpenSlotsOptions): Promise<SlotFile> {
  const geometry = slotGeometry(options)
  const owned = new DisposeStack()
  try {
    return await open(place, options, geometry, owned)
  } catch (error) {
    await owned.close()
    throw error
  }
}

async function open(
  { root, binding, directIo }: OpenSlotsPlace,
  options: OpenSlotsOptions,
  geometry: SlotGeometry,
  owned: DisposeStack,
): Promise<SlotFile> {
  const { slotBytes, slotStride, numSlots } = geometry
  const expected: Expectation = { fingerprint: options.fingerprint, slotBytes, slotStride }
  const paths = await claimSlotDirectory(root, options.fingerprint)
  await inspectTable(binding, paths, expected)
  const lock = await lockOrThrow(binding, paths.directory, paths.lock)
  owned.defer(() => lock.release())
  const found = (await inspectTable(binding, paths, expected)) ?? (await createTable(binding, paths, expected))
  const tableFile = await openTable(binding, paths)
  owned.defer(() => binding.closeRegion(tableFile.id))
  const { direct, note } = directIoFor(slotBytes, directIo)
  const data = await binding.openFile({ path: paths.data, write: true, create: true, direct })
  owned.defer(() => binding.closeRegion(data.id))

  const opening: Opening = { binding, paths, geometry, table: tableFile.id, data }
  await growTable(opening, tableFile.sizeBytes)
  const { superblock, recovered, dropped } = await recover(opening, found)
  const growth = growthOf(opening, recovered)
  report(options.logger ?? silentLogger, paths, recovered, dropped)
  const storage = new FileStorage({
    binding,
    region: data,
    path: paths.data,
    sizeBytes: numSlots * slotStride,
    facts: () => ({
      slots: numSlots,
      slotBytes,
      slotStride,
      growth: growth.kind ?? 'none yet',
      reservedBytes: growth.reservedBytes,
      epoch: superblock.epoch,
      recovered: recovered.count,
      dropped,
      damaged: recovered.damaged,
    }),
    notes: () => growthNotes(growth),
    directIoNote: note,
  })
  owned.use(storage)
  const counters = await ChangeCounters.read(binding, tableFile.id, numSlots)
  const next = superblock.generationFloor - GENERATIONS_AHEAD
  return new SlotFile({
    binding,
    table: tableFile.id,
    storage,
    geometry,
    growth,
    counters,
    superblock,
    recovered,
    nextGeneration: next,
    owned,
  })
}

/** Records are few bytes: room for all of them is taken at once, so that a commit never finds the disk full. */
async function growTable({ binding, geometry, table }: Opening, sizeBytes: number): Promise<void> {
  const missing = geometry.tableFileBytes - sizeBytes
  if (missing > 0) await binding.reserveFile(table, sizeBytes, missing)
}

/**
 * One scan. Raises epoch and generation floor before it changes anything else; then frees records that do not fit:
 * beyond the slots wanted now, of another length, or of bytes that the data file no longer has.
 */
async function recover(opening: Opening, found: Superblock) {
  const { binding, table, geometry, data } = opening
  const { numSlots, slotBytes, slotStride } = geometry
  const scanned = await binding.readSlots(table, TABLE_OFFSET, Math.max(numSlots, found.numSlots))
  const generationFloor = Math.max(nextGeneration(scanned), found.generationFloor) + GENERATIONS_AHEAD
  const tableSlots = Math.max(numSlots, found.numSlots)
  const raised = { ...found, epoch: found.epoch + 1, generationFloor, numSlots: tableSlots }
  let superblock = await writeSuperblock(binding, table, raised)
  await binding.syncFile(table)
  const { kept, dropped } = partitionRecords(
    scanned,
    (slot, length) => slot < numSlots && length === slotBytes && slot * slotStride + slotBytes <= data.sizeBytes,
  )
  if (dropped.length > 0) {
    await binding.clearSlots(
      table,
      TABLE_OFFSET,
      dropped.map((index) => scanned.slots[index]!),
    )
  }
  if (tableSlots > numSlots) superblock = await writeSuperblock(binding, table, { ...superblock, numSlots })
  return { superblock, recovered: selectRecords(scanned, kept), dropped: dropped.length }
}

/** Segments that hold recovered blocks have their space; reserving one again could only do harm. */
function growthOf({ binding, geometry, data }: Opening, recovered: SlotRecords): SegmentedGrowth {
  const { numSlots, slotStride, slotsPerSegment } = geometry
  const growth = new SegmentedGrowth({
    binding,
    region: data.id,
    sizeBytes: numSlots * slotStride,
    segmentBytes: slotsPerSegment * slotStride,
  })
  for (const slot of recovered.slots) growth.markUsed(Math.floor(slot / slotsPerSegment))
  return growth
}

function growthNotes(growth: SegmentedGrowth): readonly string[] {
  if (growth.kind !== 'sparse') return []
  return ['The file system reserves no space: a write may still find the disk full.']
}

function report(logger: Logger, paths: SlotPaths, recovered: SlotRecords, dropped: number): void {
  logger.info(`Slot file ${paths.directory}: ${recovered.count} blocks found again.`)
  if (dropped + recovered.damaged === 0) return
  logger.warn(
    `Slot file ${paths.directory}: ${dropped} records dropped, ${recovered.damaged} damaged; their slots are free.`,
  )
}
