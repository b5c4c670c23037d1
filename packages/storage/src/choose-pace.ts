import { type DiskIo, type Logger, silentLogger } from '@kvbm/core'
import type { Binding, DiskPace } from '@kvbm/native'
import { calibrateDisk } from './calibrate-disk.js'
import { CalibrationFile } from './calibration-file.js'
import { type ChosenPace, PACE_DEFAULT } from './disk-pace.js'

/** Less is not worth a trial that writes 32 MiB. */
export const CALIBRATED_FROM_BYTES = 2 ** 30

export interface PaceChoice {
  readonly binding: Binding
  readonly directory: string
  readonly slotBytes: number
  /** Of all slots. */
  readonly sizeBytes: number
  /** Whether the slots bypass the page cache. */
  readonly direct: boolean
  /** What was pinned. */
  readonly io: DiskIo
  readonly logger?: Logger | undefined
  /** The clock of a trial. */
  readonly now?: () => number
}

/** Pinned, else what was found here before, else what a trial finds now, else the default. Never fails. */
export async function choosePace(choice: PaceChoice): Promise<ChosenPace> {
  const { io } = choice
  if (io.depth !== undefined && io.requestBytes !== undefined)
    return { depth: io.depth, requestBytes: io.requestBytes, chosenBy: 'pinned' }
  const isWorthIt = choice.direct && choice.sizeBytes >= CALIBRATED_FROM_BYTES
  const found = isWorthIt ? await calibrated(choice) : undefined
  return { ...(found ?? PACE_DEFAULT), ...io, chosenBy: found === undefined ? 'default' : 'calibrated' }
}

async function calibrated(choice: PaceChoice): Promise<DiskPace | undefined> {
  const { directory, logger = silentLogger } = choice
  const file = new CalibrationFile(directory)
  const known = await file.read()
  if (known !== undefined) return known
  try {
    const found = await calibrateDisk(choice)
    if (found !== undefined && !(await file.keep(found)))
      logger.debug(`What suits the disk of ${directory} cannot be kept there; it is tried again at the next opening.`)
    return found
  } catch (error) {
    logger.debug(`What suits the disk of ${directory} was not tried: ${String(error)}`)
    return undefined
  }
}
