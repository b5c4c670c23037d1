import type { EventManager, TierName } from '@kvbm/core'
import type { ConfigInput, StrictInput, TIERS, TiersOf } from './config-input.js'
import { type Complete, DRAFT, type Draft, type MISSING } from './draft.js'
import type { LayoutPart } from './layout-config.js'
import type { ModelPart } from './model-config.js'
import { type ParseOptions, parseConfig } from './parse-config.js'
import type { ResolvedConfig } from './resolved-config.js'
import type { RuntimePart } from './runtime-config.js'

/**
 * Fluent, immutable sugar over the plain object. Parts may be built, builders, or plain; `Tiers` are those given so far,
 * `Unset` is the required field that is missing. That some tier is there is checked by `build()`.
 */
export class ManagerConfigBuilder<Tiers extends TierName = never, Unset extends 'model' = 'model'> {
  readonly [DRAFT]: Draft
  declare readonly [MISSING]?: Unset
  declare readonly [TIERS]?: Tiers

  constructor(draft: Draft = {}) {
    this[DRAFT] = Object.freeze(draft)
    Object.freeze(this)
  }

  #with<T extends TierName = Tiers, U extends 'model' = Unset>(
    field: string,
    value: unknown,
  ): ManagerConfigBuilder<T, U> {
    return new ManagerConfigBuilder({ ...this[DRAFT], [field]: value })
  }

  runtime(part: RuntimePart): ManagerConfigBuilder<Tiers, Unset> {
    return this.#with('runtime', part)
  }

  model(part: ModelPart): ManagerConfigBuilder<Tiers, never> {
    return this.#with<Tiers, never>('model', part)
  }

  deviceLayout(part: LayoutPart): ManagerConfigBuilder<Tiers | 'device', Unset> {
    return this.#with<Tiers | 'device'>('deviceLayout', part)
  }

  hostLayout(part: LayoutPart): ManagerConfigBuilder<Tiers | 'host', Unset> {
    return this.#with<Tiers | 'host'>('hostLayout', part)
  }

  diskLayout(part: LayoutPart): ManagerConfigBuilder<Tiers | 'disk', Unset> {
    return this.#with<Tiers | 'disk'>('diskLayout', part)
  }

  eventManager(value: EventManager): ManagerConfigBuilder<Tiers, Unset> {
    return this.#with('eventManager', value)
  }

  /** Checksums over every block. On by default. */
  integrity(value: boolean): ManagerConfigBuilder<Tiers, Unset> {
    return this.#with('integrity', value)
  }

  /** Checks everything, the parts that are not built yet included. Throws one `ConfigError` with every violation. */
  build(
    this: Complete<ManagerConfigBuilder<Tiers, Unset>, Unset>,
    options?: ParseOptions,
  ): KvBlockManagerConfig<Tiers> {
    return parseConfig(this, options) as KvBlockManagerConfig<Tiers>
  }
}

/** A whole configuration, checked, complete and frozen. */
export type KvBlockManagerConfig<Tiers extends TierName = TierName> = ResolvedConfig<Tiers>

export const KvBlockManagerConfig = Object.freeze({
  builder: (): ManagerConfigBuilder => new ManagerConfigBuilder(),
  /**
   * A complete configuration from a plain object, a builder, or a built one. Throws one `ConfigError` with every
   * violation: path, value, rule and remedy.
   */
  parse<const C extends ConfigInput>(
    input: C & StrictInput<C>,
    options?: ParseOptions,
  ): KvBlockManagerConfig<TiersOf<C>> {
    return parseConfig(input, options) as KvBlockManagerConfig<TiersOf<C>>
  },
})
