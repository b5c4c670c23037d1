import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type KvCache, openKvCache, type SessionOptions } from '@kvbm/connector'
import { MemoryDriver, MemoryEngine } from '@kvbm/connector/testing'

export const PAGE = 16

/** `count` tokens, told apart by `seed`; a longer prompt goes on from a shorter one of the same seed. */
export function prompt(count: number, seed = 1): Uint32Array {
  return Uint32Array.from({ length: count }, (_, index) => (seed * 7919 + index * 31) % 50_000)
}

export interface FillOptions extends SessionOptions {
  /** Another one is another model. */
  readonly seed?: number
  readonly name?: string
  readonly loras?: readonly string[]
}

/** A directory for a cache, and what an engine under a real connector puts into it. */
export class CacheWorld {
  readonly root = mkdtempSync(join(tmpdir(), 'kvbm-cli-cache-'))
  readonly dir = join(this.root, 'kv')

  /** Opens the cache, has it capture prompts, and closes it. */
  async fill(prompts: readonly Uint32Array[], options: FillOptions = {}): Promise<void> {
    await using kv = await this.open()
    for (const tokens of prompts) await ask(kv, tokens, options)
  }

  open(): Promise<KvCache> {
    return openKvCache({ dir: this.dir, host: '8MiB', disk: '64MiB' })
  }

  /** Tokens of a prompt that a new process finds on disk. */
  async cachedTokens(tokens: Uint32Array, options: FillOptions = {}): Promise<number> {
    await using kv = await this.open()
    return await ask(kv, tokens, { ...options, capture: false })
  }

  at(...names: string[]): string {
    return join(this.root, ...names)
  }

  /** Directories of models. */
  models(): string[] {
    return readdirSync(this.dir).filter((name) => /^[0-9a-f]{16}$/.test(name))
  }

  /** Changes bytes of a file of the only model. */
  damage(file: 'slots.kvbm' | 'blocks.kvbm', change: (bytes: Uint8Array) => Uint8Array): void {
    const path = join(this.dir, this.models()[0]!, file)
    writeFileSync(path, change(new Uint8Array(readFileSync(path))))
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}

/** What an adapter does for one request; the tokens that were cached. */
export async function ask(
  kv: KvCache,
  tokens: Uint32Array,
  { seed = 1, name = `model-${seed}`, loras, capture = true, ...options }: FillOptions & { capture?: boolean } = {},
): Promise<number> {
  const engine = new MemoryEngine({ seed })
  const connector = kv.connect(new MemoryDriver(engine, { through: 'file', name, ...(loras && { loras }) }))
  await connector.ready()
  const session = connector.open(tokens, options)
  const slot = engine.slot()
  const { tokens: cached, cuts } = await session.load(slot)
  await engine.evaluate(slot, tokens.subarray(cached), cuts)
  if (capture) session.capture({ tokens: slot.tokens }, slot)
  await session.finish()
  await connector.settled()
  await connector.close()
  return cached
}
