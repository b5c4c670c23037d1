import type { EventManager, TierName } from '@kvbm/core'
import type { DRAFT, MISSING } from './draft.js'
import type { LayoutPart } from './layout-config.js'
import type { ModelPart } from './model-config.js'
import type { RuntimePart } from './runtime-config.js'

/** Exists only in types: the tiers that a configuration or its builder has. */
export declare const TIERS: unique symbol

/** A configuration as written by hand; each part may be plain, built, or a builder. */
export interface ConfigObject {
  readonly runtime?: RuntimePart | undefined
  readonly model: ModelPart
  readonly deviceLayout?: LayoutPart | undefined
  readonly hostLayout?: LayoutPart | undefined
  readonly diskLayout?: LayoutPart | undefined
  readonly eventManager?: EventManager | undefined
  /** One checksum per block, verified whenever a block comes back. Default true. */
  readonly integrity?: boolean | undefined
}

/** Anything a configuration is made from: a plain object, a built configuration, or a builder that has its model. */
export type ConfigInput =
  | ConfigObject
  | { readonly [DRAFT]: unknown; readonly [MISSING]?: never; readonly [TIERS]?: TierName }

type PlainTiers<C> = {
  [N in TierName]: `${N}Layout` extends keyof C ? ([C[`${N}Layout`]] extends [undefined] ? never : N) : never
}[TierName]

/** Tiers that `C` names: exact for a literal or a builder, all three for a wide type. */
export type TiersOf<C> = C extends unknown
  ? typeof TIERS extends keyof C
    ? Extract<C[typeof TIERS], TierName>
    : PlainTiers<C>
  : never

/** Keys that `C` has and a configuration does not know, made impossible. Write `config: C & StrictInput<C>`. */
export type StrictInput<C> = C extends unknown
  ? typeof TIERS extends keyof C
    ? unknown
    : { readonly [K in Exclude<keyof C, keyof ConfigObject>]: never }
  : never
