import { eraseSlots, type SlotTable } from '@kvbm/storage'
import { type CachedModel, cachedModels, modelsNamed } from './cached-models.js'
import { defineCommand } from './command.js'
import { formatBytes, formatCount, formatTable, printJson } from './format.js'
import { readKey } from './read-key.js'
import { removeModels } from './remove-models.js'
import { type Owner, type TenantBlocks, tenantBlocks, tenantRoots } from './tenant-blocks.js'

const HELP = `Usage: kvbm clear DIR [flags]

Removes models with all their blocks; with --tenant or --key-file only the blocks of one tenant, their bytes overwritten. Shows its
plan, and does it with --yes. What a process has open stays, and the exit code is 1 then: stop the server first.

  --model ID        only of this model: its name, its model id, or its directory
  --tenant NAME     only blocks of this tenant, as the program names it: open(tokens, { tenant })
  --key-file FILE   only blocks of the tenant of this API key of a server; '-' reads standard input
  --lora NAME       an adapter that the tenant used; repeat it for adapters used together
  --yes             remove, do not only show
  --json            as data
  --help            this text

The disk holds no tenants' names. A tenant's blocks are known by the hash that the first block of each prompt carries; blocks whose
beginning was evicted before are nobody's any more, so they go, too. Blocks under adapters that are not named here stay.`

/** `kvbm clear` */
export const clear = defineCommand({
  name: 'clear',
  help: HELP,
  flags: {
    model: { type: 'string' },
    tenant: { type: 'string' },
    'key-file': { type: 'string' },
    lora: { type: 'string', multiple: true, default: [] },
    yes: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
  placesMax: 1,
  async run({ flags, places: [dir], usageError }) {
    if (dir === undefined) throw usageError('Give the directory of a cache.')
    const { model, tenant, 'key-file': keyFile, lora: loras, yes, json } = flags
    if (tenant !== undefined && keyFile !== undefined) throw usageError('Give --tenant or --key-file, not both.')
    const name = keyFile === undefined ? tenant : await tenantOfKeyFile(keyFile)
    if (name === undefined && loras.length > 0) throw usageError('--lora: give --tenant or --key-file with it.')
    if (name === undefined) await clearModels({ dir, model, yes, json })
    else await clearTenant({ dir, model, yes, json, owner: { tenant: name, loras } })
  },
})

interface ClearOptions {
  readonly dir: string
  readonly model: string | undefined
  readonly yes: boolean
  readonly json: boolean
}

async function clearModels({ model, ...options }: ClearOptions): Promise<void> {
  const meant = new Set(modelsNamed(await cachedModels(options.dir), model).map(({ name }) => name))
  const removals = await removeModels({ ...options, choose: (free) => free.filter(({ name }) => meant.has(name)) })
  if (removals.some(({ outcome, directory }) => outcome === 'in use' && meant.has(directory))) process.exitCode = 1
}

/** Plain JSON: what became of a tenant's blocks of one model. */
interface TenantClearing {
  readonly name: string
  readonly directory: string
  readonly outcome: 'erased' | 'would be erased' | 'in use' | 'unreadable' | 'not isolated'
  readonly blocks: number
  readonly orphans: number
  readonly others: number
  readonly wipedBytes: number
}

async function clearTenant(options: ClearOptions & { readonly owner: Owner }): Promise<void> {
  const { dir, json } = options
  const clearings: TenantClearing[] = []
  for (const model of modelsNamed(await cachedModels(dir), options.model))
    clearings.push(await clearTenantOf(model, options))
  if (json) printJson({ dir, models: clearings })
  else console.log(shown(clearings, options))
  if (clearings.some(({ outcome }) => !outcome.endsWith('erased'))) process.exitCode = 1
}

async function clearTenantOf(
  { title, name, table, model }: CachedModel,
  { dir, yes, owner }: ClearOptions & { readonly owner: Owner },
): Promise<TenantClearing> {
  const nothing = { name: title, directory: name, blocks: 0, orphans: 0, others: 0, wipedBytes: 0 }
  if (typeof table === 'string' || model === undefined) return { ...nothing, outcome: 'unreadable' }
  if (model.hashAlgorithm !== 'sha256') return { ...nothing, outcome: 'not isolated' }
  const roots = tenantRoots(model, owner)
  if (!yes) return { ...nothing, ...counts(tenantBlocks(table, roots)), outcome: 'would be erased' }
  let found: TenantBlocks | undefined
  const choose = (locked: SlotTable): number[] => {
    found = tenantBlocks(locked, roots)
    return [...found.own, ...found.orphans]
  }
  const erased = await eraseSlots(dir, name, choose)
  if (erased === undefined || found === undefined) return { ...nothing, outcome: 'in use' }
  return { ...nothing, ...counts(found), wipedBytes: erased.wipedBytes, outcome: 'erased' }
}

function counts({ own, orphans, others }: TenantBlocks) {
  return { blocks: own.length, orphans: orphans.length, others: others.length }
}

const REMEDIES: Partial<Record<TenantClearing['outcome'], string>> = {
  'would be erased': 'Nothing is erased yet. Add --yes to do it.',
  'in use': 'A process has a model open: stop it, and try again.',
  unreadable:
    'A table cannot be read: whose blocks these are cannot be told. Remove the whole model: kvbm clear DIR --model ID.',
  'not isolated':
    'A model is named by xxh3, which does not keep tenants apart. Remove the whole model: kvbm clear DIR --model ID.',
}

function shown(clearings: readonly TenantClearing[], { dir }: ClearOptions): string {
  if (clearings.length === 0) return `${dir} holds no models.`
  const head = ['MODEL', 'DIRECTORY', "TENANT'S BLOCKS", "NOBODY'S", "OTHERS' (STAY)", 'OVERWRITTEN', 'OUTCOME']
  const rows = clearings.map(({ name, directory, blocks, orphans, others, wipedBytes, outcome }) => [
    name,
    directory,
    ...[blocks, orphans, others].map(formatCount),
    formatBytes(wipedBytes),
    outcome,
  ])
  const remedies = [...new Set(clearings.map(({ outcome }) => REMEDIES[outcome]))].filter((text) => text !== undefined)
  return [formatTable(head, rows, [2, 3, 4, 5]), ...remedies].join('\n\n')
}

async function tenantOfKeyFile(file: string): Promise<string> {
  const key = await readKey(file)
  const { tenantOfKey } = await import('@kvbm/server')
  return tenantOfKey(key)
}
