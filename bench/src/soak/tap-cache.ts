import type { KvCache } from '@kvbm/connector'
import { type BlockTap, TappedDriver } from './tapped-driver.js'

/** Looks at the bytes of every context that is connected from now on. */
export function tapCache(kv: KvCache, tap: BlockTap): KvCache {
  const connect = kv.connect.bind(kv)
  kv.connect = (driver, options) => connect(new TappedDriver(driver, tap), options)
  return kv
}
