import { type SlotTableRefusal, type SlotVerification, verifySlots } from '@kvbm/storage'
import { type CachedModel, cachedModels, modelsNamed } from './cached-models.js'
import { defineCommand } from './command.js'
import { counted, formatAge, formatBytes, formatCount, formatTable, printJson } from './format.js'

const HELP = `Usage: kvbm inspect DIR [flags]

Shows what a cache directory holds, one line for each model. Only reads, takes no lock: safe beside a running server.

  --model ID    only this model: its name, its model id, or its directory
  --verify      read every block and hold it against its checksum; exit code 1 if one is damaged
  --json        as data
  --help        this text`

/** `kvbm inspect` */
export const inspect = defineCommand({
  name: 'inspect',
  help: HELP,
  flags: { model: { type: 'string' }, verify: { type: 'boolean' }, json: { type: 'boolean' } },
  placesMax: 1,
  async run({ flags, places: [dir], usageError }) {
    if (dir === undefined) throw usageError('Give the directory of a cache.')
    const models: ModelReport[] = []
    for (const model of modelsNamed(await cachedModels(dir), flags.model))
      models.push(await report(dir, model, flags.verify === true))
    const findings = { dir, ...totals(models), models }
    if (flags.json) printJson(findings)
    else console.log(shown(findings))
    if (flags.verify && models.some(isDamaged)) process.exitCode = 1
  },
})

/** Plain JSON: what is known of one model without opening it. */
interface ModelReport {
  readonly name: string
  readonly directory: string
  readonly modelId: string | null
  readonly table: 'ok' | SlotTableRefusal
  readonly blocks: number
  readonly tokens: number
  readonly usedBytes: number
  readonly capacityBytes: number
  readonly lastUsed: string
  readonly damagedRecords: number
  /** Present with `--verify`. */
  readonly verified?: SlotVerification
}

async function report(dir: string, model: CachedModel, verify: boolean): Promise<ModelReport> {
  const { title, name, table, usedBytes, capacityBytes, usedMs } = model
  const records = typeof table === 'string' ? { count: 0, damaged: 0 } : table.records
  return {
    name: title,
    directory: name,
    modelId: model.model?.modelId ?? null,
    table: typeof table === 'string' ? table : 'ok',
    blocks: records.count,
    tokens: records.count * (model.model?.pageSize ?? 0),
    usedBytes,
    capacityBytes,
    lastUsed: new Date(usedMs).toISOString(),
    damagedRecords: records.damaged,
    ...(verify && typeof table !== 'string' && { verified: await verifySlots(dir, name, table) }),
  }
}

function totals(models: readonly ModelReport[]) {
  const sum = (of: (model: ModelReport) => number): number => models.reduce((total, model) => total + of(model), 0)
  return { blocks: sum(({ blocks }) => blocks), usedBytes: sum(({ usedBytes }) => usedBytes) }
}

function isDamaged({ table, damagedRecords, verified }: ModelReport): boolean {
  return table !== 'ok' || damagedRecords + (verified?.damaged ?? 0) > 0
}

type Findings = ReturnType<typeof totals> & { readonly dir: string; readonly models: readonly ModelReport[] }

function shown({ dir, blocks, usedBytes, models }: Findings): string {
  const summary = `${dir}: ${counted(models.length, 'model')}, ${counted(blocks, 'block')}, ${formatBytes(usedBytes)} on disk`
  if (models.length === 0) return summary
  const head = ['MODEL', 'DIRECTORY', 'BLOCKS', 'TOKENS', 'ON DISK', 'AT MOST', 'LAST USED', 'DAMAGE']
  const rows = models.map((model) => [
    model.name,
    model.directory,
    formatCount(model.blocks),
    formatCount(model.tokens),
    formatBytes(model.usedBytes),
    formatBytes(model.capacityBytes),
    formatAge(Date.now() - Date.parse(model.lastUsed)),
    damage(model),
  ])
  return `${summary}\n\n${formatTable(head, rows, [2, 3, 4, 5])}`
}

const REFUSALS: Readonly<Record<SlotTableRefusal, string>> = {
  missing: 'has no table',
  empty: 'its table is empty',
  torn: 'its table is damaged',
  foreign: 'its table is not ours',
  newer: 'written by a newer version',
  unreadable: 'its table cannot be read',
}

function damage({ table, damagedRecords, verified }: ModelReport): string {
  if (table !== 'ok') return REFUSALS[table]
  const found = [
    ...(damagedRecords > 0 ? [counted(damagedRecords, 'record')] : []),
    ...(verified && verified.damaged > 0 ? [counted(verified.damaged, 'block')] : []),
  ]
  if (found.length > 0) return found.join(', ')
  return verified === undefined ? 'none seen' : 'none'
}
