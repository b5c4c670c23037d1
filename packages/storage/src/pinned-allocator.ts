import type { AllocateRequest, Storage, StorageAllocator } from '@kvbm/core'
import { allocateMemory } from './memory-storage.js'
import { bindingOf, type RuntimeOption } from './runtime-option.js'

/**
 * Page-locked memory: by the CUDA driver when there is one, else by the operating system, else (its lock limit forbids
 * it) pages that are only touched. `storage.describe()` says which in the fact `locked`, and why in its notes.
 */
export class PinnedAllocator implements StorageAllocator {
  readonly kind = 'pinned'
  readonly #options: RuntimeOption

  constructor(options: RuntimeOption = {}) {
    this.#options = options
  }

  async allocate({ sizeBytes, lazy, label = 'pinned' }: AllocateRequest): Promise<Storage> {
    const binding = bindingOf(this.#options)
    return allocateMemory({ binding, kind: this.kind, sizeBytes, label, lock: true }, lazy)
  }

  describe(): string {
    return 'page-locked memory where the system permits it, else touched memory'
  }
}
