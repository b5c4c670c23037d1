import type {
  CaptureOutcome,
  CaptureRequest,
  KvEngineCapabilities,
  KvEngineDriver,
  KvGeometry,
  KvIdentity,
  KvSupport,
  RestoreRequest,
} from '@kvbm/connector'
import type { LlamaContext, LlamaContextSequence } from 'node-llama-cpp'
import { blockShapeOf, type StateGeometry } from '../state-file/state-geometry.js'
import { captureSequence, type Soundness } from './capture-sequence.js'
import { identityOf } from './identity.js'
import { kvShapeOf } from './kv-shape.js'
import { restoreSequence } from './restore-sequence.js'
import { SaveTimer } from './save-timer.js'
import { supportOf } from './support.js'

/** How a context is driven. */
export interface LlamaDriverOptions {
  /** Tokens per block: `kv.pageSize`. */
  readonly pageSize: number
  /** LoRA adapters of the context with their scales, e.g. `style.gguf@0.5`. */
  readonly loras?: readonly string[] | undefined
  /** What is known of a sequence's tokens; absent: they all are where they were evaluated. */
  readonly soundOf?: ((sequence: LlamaContextSequence) => Soundness | undefined) | undefined
}

/** Rows of a batch below which llama.cpp's attention on the CPU takes another way, with other last bits. */
const MIN_TAIL_FOR_EXACT = 64
const UNKNOWN_FILE = {
  ok: false,
  reason: 'unknown-format',
  detail: 'A file of the model or of its adapters cannot be read again.',
} as const

/** One context of node-llama-cpp: KV bytes in and out through state files. A slot is one of its sequences. */
export class LlamaDriver implements KvEngineDriver<LlamaContextSequence> {
  readonly geometry: KvGeometry
  readonly identity: KvIdentity
  readonly capabilities: KvEngineCapabilities
  readonly #pageSize: number
  readonly #state: StateGeometry
  readonly #soundOf: (sequence: LlamaContextSequence) => Soundness | undefined
  readonly #timer: SaveTimer
  #support: KvSupport

  constructor(context: LlamaContext, { pageSize, loras = [], soundOf }: LlamaDriverOptions) {
    const identity = identityOf(context, loras)
    this.#pageSize = pageSize
    this.#soundOf = soundOf ?? (() => undefined)
    this.#state = kvShapeOf(context).geometry
    this.#timer = new SaveTimer(context)
    this.#support = identity === undefined ? UNKNOWN_FILE : supportOf({ context, loras })
    this.identity = identity ?? { name: context.model.filename ?? 'unknown', facts: {}, loras }
    this.geometry = geometryOf(this.#state, pageSize)
    this.capabilities = {
      restore: 'whole-sequence',
      capture: 'whole-sequence',
      minTailForExact: MIN_TAIL_FOR_EXACT,
      batchTokens: context.batchSize,
    }
  }

  supports(): KvSupport {
    return this.#support
  }

  async restore(request: RestoreRequest<LlamaContextSequence>): Promise<number> {
    request.signal?.throwIfAborted()
    return restoreSequence({ ...request, geometry: this.#state, pageSize: this.#pageSize })
  }

  async capture(request: CaptureRequest<LlamaContextSequence>): Promise<CaptureOutcome> {
    request.signal?.throwIfAborted()
    const own = { geometry: this.#state, pageSize: this.#pageSize, timer: this.#timer }
    const outcome = await captureSequence({ ...request, ...own, sound: this.#soundOf(request.slot) })
    if (outcome.declined !== undefined) this.#support = outcome.declined
    return outcome
  }
}

function geometryOf(state: StateGeometry, pageSize: number): KvGeometry {
  const { numLayers, outerDim, innerDim, dtype } = blockShapeOf(state, pageSize)
  return { numLayers, outerDim: outerDim === 1 ? 1 : 2, pageSize, innerDim, dtype, innerOrder: 'nhd' }
}
