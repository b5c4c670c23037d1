import type { Registrar } from '@kvbm/pool'

/** Keeps users from naming disk blocks without a record: the next process would not know them. */
export const DISK_REGISTRAR: Registrar = Object.freeze({
  remedy: 'On disk a name is a record, which is written first: await manager.register(blocks, hashes).',
})
