import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KvBlockManager, type Manager, type ManagerSettings } from '../src/index.js'

export const MODEL = { modelId: 'test', numLayers: 2, outerDim: 2, pageSize: 4, innerDim: 256, dtype: 'fp16' } as const
/** 2 layers × 2 × 4 tokens × 256 × 2 bytes. */
export const BLOCK_BYTES = 8192

export function temporaryDirectory(): { readonly path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), 'kvbm-manager-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

export interface TiersOption {
  readonly device?: number
  readonly host?: number
  readonly disk?: { readonly numBlocks: number; readonly path: string }
  readonly more?: object
  readonly settings?: Partial<ManagerSettings>
}

export async function openManager({ device, host, disk, more = {}, settings }: TiersOption): Promise<Manager> {
  const config = {
    model: MODEL,
    ...(device === undefined ? {} : { deviceLayout: { numBlocks: device } }),
    ...(host === undefined ? {} : { hostLayout: { numBlocks: host } }),
    ...(disk === undefined
      ? {}
      : { diskLayout: { numBlocks: disk.numBlocks, allocator: { kind: 'disk' as const, path: disk.path } } }),
    ...more,
  }
  return (await KvBlockManager.create(config, settings)) as Manager
}

/** `count` blocks of tokens, told apart by `first`. */
export function prompt(count: number, first = 1): Uint32Array {
  return Uint32Array.from({ length: count * MODEL.pageSize }, (_, index) => first * 1_000_000 + index)
}

/** Bytes that depend on the block's position and `seed`. */
export function content(count: number, seed = 1): Uint8Array {
  return Uint8Array.from(
    { length: count * BLOCK_BYTES },
    (_, index) => (index * 31 + Math.floor(index / BLOCK_BYTES) * 7 + seed * 13) & 0xff,
  )
}

/** Computes a prompt into the first tier: allocate, write, register. */
export async function compute(manager: Manager, count: number, seed = 1) {
  const hashes = manager.hash(prompt(count, seed))
  const fresh = manager.firstTier.allocate(count)
  await manager.write(fresh, content(count, seed))
  return { hashes, bytes: content(count, seed), kept: await manager.register(fresh, hashes) }
}
