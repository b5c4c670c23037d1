import type { KvCache, KvEngineDriver } from '@kvbm/connector'

/** Puts something around the driver of every context that is connected from now on. Returns the same cache. */
export function wrapDrivers(kv: KvCache, wrap: <Slot>(driver: KvEngineDriver<Slot>) => KvEngineDriver<Slot>): KvCache {
  const connect = kv.connect.bind(kv)
  kv.connect = (driver, options) => connect(wrap(driver), options)
  return kv
}
