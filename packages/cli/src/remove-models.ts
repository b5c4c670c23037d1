import { isSlotDirectoryLocked, removeSlotDirectory, withDirectoryLock } from '@kvbm/storage'
import { type CachedModel, cachedModels, isOurs } from './cached-models.js'
import { counted, formatAge, formatBytes, formatTable, printJson } from './format.js'

/** What a removal may touch, and whether it only shows its plan. */
export interface RemovalOptions {
  readonly dir: string
  readonly yes: boolean
  readonly json: boolean
  /** Of models that nobody has open, the longest unused first, those to remove; `all` has the open ones too. */
  choose(free: readonly CachedModel[], all: readonly CachedModel[]): readonly CachedModel[]
}

/** Plain JSON: what became of one model. */
export interface Removal {
  readonly name: string
  readonly directory: string
  readonly usedBytes: number
  readonly lastUsed: string
  readonly outcome: 'removed' | 'would be removed' | 'in use' | 'not ours' | 'kept'
}

/**
 * Removes models with all their blocks: under the short lock of the directory, each under its own lock, so never one that a process
 * has open, and nothing that is not ours.
 */
export async function removeModels(options: RemovalOptions): Promise<readonly Removal[]> {
  const { dir, json } = options
  // A directory without models gets no lock file from us.
  const isEmpty = !(await cachedModels(dir)).some(isOurs)
  const removals = isEmpty ? [] : await withDirectoryLock(dir, () => removeUnderLock(options))
  if (json) printJson({ dir, models: removals })
  else console.log(shown(removals, options))
  return removals
}

async function removeUnderLock({ dir, yes, choose }: RemovalOptions): Promise<Removal[]> {
  const all = await cachedModels(dir)
  const busy = new Set<CachedModel>()
  for (const model of all.filter(isOurs)) if (await isSlotDirectoryLocked(dir, model.name)) busy.add(model)
  const chosen = new Set(
    choose(
      all.filter((model) => isOurs(model) && !busy.has(model)),
      all.filter(isOurs),
    ),
  )
  const outcome = async (model: CachedModel): Promise<Removal['outcome']> => {
    if (!isOurs(model)) return 'not ours'
    if (busy.has(model)) return 'in use'
    if (!chosen.has(model)) return 'kept'
    if (!yes) return 'would be removed'
    return (await removeSlotDirectory(dir, model.name)) ? 'removed' : 'in use'
  }
  const removals: Removal[] = []
  for (const model of all) removals.push(removalOf(model, await outcome(model)))
  return removals
}

function removalOf({ title, name, usedBytes, usedMs }: CachedModel, outcome: Removal['outcome']): Removal {
  return { name: title, directory: name, usedBytes, lastUsed: new Date(usedMs).toISOString(), outcome }
}

function shown(removals: readonly Removal[], { dir, yes }: RemovalOptions): string {
  if (removals.length === 0) return `${dir} holds no models.`
  const gone = removals.filter(({ outcome }) => outcome === (yes ? 'removed' : 'would be removed'))
  const bytes = formatBytes(gone.reduce((sum, { usedBytes }) => sum + usedBytes, 0))
  const rows = removals.map((removal) => [
    removal.name,
    removal.directory,
    formatBytes(removal.usedBytes),
    formatAge(Date.now() - Date.parse(removal.lastUsed)),
    removal.outcome,
  ])
  const table = formatTable(['MODEL', 'DIRECTORY', 'ON DISK', 'LAST USED', 'OUTCOME'], rows, [2])
  if (yes) return `${table}\n\n${counted(gone.length, 'model')}, ${bytes}: removed.`
  if (gone.length === 0) return `${table}\n\nThere is nothing to remove.`
  return `${table}\n\n${counted(gone.length, 'model')}, ${bytes}: nothing is removed yet. Add --yes to do it.`
}
