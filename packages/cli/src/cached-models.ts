import { stat } from 'node:fs/promises'
import { fingerprintModel, type ModelConfig } from '@kvbm/config'
import { readModelNote } from '@kvbm/connector'
import {
  listSlotDirectories,
  readSlotTable,
  type SlotDirectory,
  type SlotTable,
  type SlotTableRefusal,
  slotDirectoryName,
} from '@kvbm/storage'

/** One model in a cache directory, seen from outside. */
export interface CachedModel extends SlotDirectory {
  /** As its connector named it; else its model id; else the directory's name. */
  readonly title: string
  /** Undefined where the fingerprint cannot be read. */
  readonly model: ModelConfig | undefined
  readonly table: SlotTable | SlotTableRefusal
}

/** All models of a directory, the longest unused first. Takes no lock and changes nothing. Throws when there is no directory. */
export async function cachedModels(dir: string): Promise<CachedModel[]> {
  await expectDirectory(dir)
  const found: CachedModel[] = []
  for (const directory of await listSlotDirectories(dir)) found.push(await look(dir, directory))
  return found
}

async function look(dir: string, directory: SlotDirectory): Promise<CachedModel> {
  const { name } = directory
  const table = await readSlotTable(dir, name)
  const model = fingerprintModel(typeof table === 'string' ? directory.fingerprint : table.fingerprint)
  return { ...directory, title: (await readModelNote(dir, name)) ?? model?.modelId ?? name, model, table }
}

/** Whether a sub-directory is one of ours beyond doubt, damaged or not: only such ones are removed. */
export function isOurs({ table, name, fingerprint }: CachedModel): boolean {
  return typeof table !== 'string' || table === 'torn' || slotDirectoryName(fingerprint) === name
}

/** Those that `--model` names: by title, model id, or directory. All without one. Throws when none is meant. */
export function modelsNamed(models: readonly CachedModel[], id: string | undefined): readonly CachedModel[] {
  const meant = models.filter(
    ({ title, name, model }) => id === undefined || [title, name, model?.modelId].includes(id),
  )
  if (meant.length > 0 || id === undefined) return meant
  const known = models.map(({ title }) => title).join(', ') || 'none'
  throw new Error(`There is no model '${id}' here. There is: ${known}.`)
}

async function expectDirectory(dir: string): Promise<void> {
  const stats = await stat(dir).catch(() => undefined)
  if (stats?.isDirectory()) return
  throw new Error(
    `There is ${stats === undefined ? 'nothing' : 'no directory'} at ${dir}. Give the directory of a cache.`,
  )
}
