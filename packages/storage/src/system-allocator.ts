import type { AllocateRequest, Storage, StorageAllocator } from '@kvbm/core'
import { allocateMemory } from './memory-storage.js'
import { bindingOf, type RuntimeOption } from './runtime-option.js'

/** Ordinary memory: zero-filled, asks for huge pages, may be swapped out. */
export class SystemAllocator implements StorageAllocator {
  readonly kind = 'system'
  readonly #options: RuntimeOption

  constructor(options: RuntimeOption = {}) {
    this.#options = options
  }

  async allocate({ sizeBytes, lazy, label = 'system' }: AllocateRequest): Promise<Storage> {
    const binding = bindingOf(this.#options)
    return allocateMemory({ binding, kind: this.kind, sizeBytes, label, lock: false }, lazy)
  }

  describe(): string {
    return 'ordinary memory, not locked'
  }
}
