import { ConfigError, type ConfigIssue, type TierName } from '@kvbm/core'
import type { z } from 'zod'
import { blockRoom } from './block-room.js'
import { parseBytes } from './byte-size.js'
import { frozen, isRecord, unbuilt } from './draft.js'
import { check, readable } from './issues.js'
import { type LayoutFields, resolveLayout } from './layout-schema.js'
import { managerSchema, tierAllocator } from './manager-schema.js'
import { type ModelConfig, resolveModel } from './model-schema.js'
import type { ResolvedConfig, ResolvedLayout } from './resolved-config.js'
import { resolveRuntime } from './runtime-schema.js'
import { modelShape } from './sizing.js'
import { findWarnings, type MachineFacts } from './warnings.js'

/** What a configuration is judged by besides itself. */
export interface ParseOptions {
  /** Sizes that do not fit become warnings; nothing is measured here. */
  readonly machine?: MachineFacts | undefined
}

const PARTS = ['runtime', 'model', 'deviceLayout', 'hostLayout', 'diskLayout'] as const

// Values that this copy of the package made; they need not be checked again.
const made = new WeakSet<object>()

/** A complete configuration. Throws one `ConfigError` with every violation. */
export function parseConfig(input: unknown, options: ParseOptions = {}): ResolvedConfig {
  if (isRecord(input) && made.has(input) && options.machine === undefined) return input as unknown as ResolvedConfig
  const { config, issues } = tryConfig(input, options)
  if (config === undefined) throw new ConfigError(issues)
  return config
}

/** The same without throwing: the configuration or every violation. `noticed` joins the warnings. */
export function tryConfig(
  input: unknown,
  { machine }: ParseOptions = {},
  noticed: readonly ConfigIssue[] = [],
): { readonly config?: ResolvedConfig; readonly issues: readonly ConfigIssue[] } {
  const checked = readable(() => check(managerSchema, plain(input)))
  if (!checked.ok) return { issues: checked.issues }
  return { config: resolve(checked.value, machine, noticed), issues: [] }
}

/** Builders replaced by what was set in them. */
function plain(input: unknown): unknown {
  const whole = unbuilt(input)
  if (!isRecord(whole)) return whole
  const parts = PARTS.filter((name) => name in whole).map((name) => [name, unbuilt(whole[name])])
  return { ...whole, ...Object.fromEntries(parts) }
}

function resolve(
  fields: z.output<typeof managerSchema>,
  machine: MachineFacts | undefined,
  noticed: readonly ConfigIssue[],
): ResolvedConfig {
  const model = resolveModel(fields.model)
  const parts = {
    runtime: resolveRuntime(fields.runtime ?? {}),
    model,
    deviceLayout: resolveTier('device', fields.deviceLayout, model),
    hostLayout: resolveTier('host', fields.hostLayout, model),
    diskLayout: resolveTier('disk', fields.diskLayout, model),
    eventManager: fields.eventManager,
    integrity: fields.integrity ?? true,
  }
  const whole = frozen<Omit<ResolvedConfig, 'warnings'>>(parts)
  return withWarnings(whole, [...noticed, ...findWarnings(whole, machine)])
}

function withWarnings(parts: Omit<ResolvedConfig, 'warnings'>, found: readonly ConfigIssue[]): ResolvedConfig {
  const warnings = Object.freeze(found.map((warning) => Object.freeze(warning)))
  const config = Object.freeze(Object.defineProperty({ ...parts }, 'warnings', { value: warnings })) as ResolvedConfig
  made.add(config)
  return config
}

function resolveTier(tier: TierName, fields: LayoutFields | undefined, model: ModelConfig): ResolvedLayout | undefined {
  if (fields === undefined) return undefined
  const { bytes, ...layout } = resolveLayout({ ...fields, allocator: tierAllocator(tier, fields) })
  const numBlocks =
    layout.numBlocks ?? Math.floor(parseBytes(bytes!) / blockRoom({ tier, ...layout }, modelShape(model)))
  return frozen<ResolvedLayout>({ ...layout, numBlocks })
}
