import type { ConfigInput, StrictInput, TiersOf } from '@kvbm/config'
import type { TierName } from '@kvbm/core'
import type { Manager } from './manager.js'
import { openManager } from './open-manager.js'
import type { ManagerSettings } from './settings.js'

/** A manager whose type knows its tiers: `KvBlockManager<'host' | 'disk'>` has no `device`. */
export type KvBlockManager<T extends TierName = TierName> = Omit<Manager, Exclude<TierName, T>>

export const KvBlockManager = Object.freeze({
  /**
   * Opens a manager for a configuration: a plain object, a builder's result, or a parsed value. Rejects with `ConfigError`,
   * `DirectoryLockedError`, `DeviceUnavailableError` and others of docs/errors.md, having released everything it took.
   */
  create<const C extends ConfigInput>(
    config: C & StrictInput<C>,
    settings?: Partial<ManagerSettings>,
  ): Promise<KvBlockManager<TiersOf<C>>> {
    return openManager(config as ConfigInput, settings) as Promise<KvBlockManager<TiersOf<C>>>
  },
})
