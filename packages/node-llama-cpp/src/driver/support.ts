import type { DeclineReason, KvSupport } from '@kvbm/connector'
import type { LlamaContext, LlamaModel } from 'node-llama-cpp'
import { countAdapters } from './adapter-fingerprint.js'
import { isLatent, kvShapeOf } from './kv-shape.js'

type Declined = Extract<KvSupport, { ok: false }>

/** What of a context's KV is asked: the context, and what its user says of it. */
export interface SupportQuestion {
  readonly context: LlamaContext
  /** LoRA adapters with their scales. */
  readonly loras: readonly string[]
}

/** A sentence for each reason that shows before anything was evaluated, and a test for it, the most telling first. */
const RULES: readonly { readonly holds: (question: SupportQuestion) => boolean; readonly declined: Declined }[] = [
  {
    holds: ({ context: { model } }) => model.fileInsights.isHybrid,
    declined: no('hybrid', 'Part of this model keeps one recurrent state instead of rows per token.'),
  },
  {
    holds: ({ context: { model } }) => model.fileInsights.isRecurrent,
    declined: no('recurrent', 'This model keeps one recurrent state instead of rows per token.'),
  },
  {
    holds: ({ context: { model } }) => (model.fileInsights.swaSize ?? 0) > 0,
    declined: no(
      'sliding-window',
      'Layers of this model that see the last tokens only have a second cache, which is not cut into blocks.',
    ),
  },
  {
    holds: ({ context: { model } }) => hasSeveralPositions(model),
    declined: no('multimodal', 'Tokens of this model have several positions (M-RoPE).'),
  },
  {
    holds: ({ context, loras }) => loras.length === 0 && countAdapters(context) > 0,
    declined: no('unknown-adapters', 'The context has LoRA adapters. Name them with their scales in the option loras.'),
  },
  {
    holds: ({ context: { model, flashAttention } }) => flashAttention === false && !isLatent(model),
    declined: no('v-transposed', 'Values are stored by channel: create the context with flashAttention: true.'),
  },
]

/** Whether the KV of a context can be cut into blocks, by all that shows before anything was evaluated. */
export function supportOf(question: SupportQuestion): KvSupport {
  return RULES.find(({ holds }) => holds(question))?.declined ?? kvShapeOf(question.context).support
}

function hasSeveralPositions({ fileInfo }: LlamaModel): boolean {
  const rope = fileInfo.architectureMetadata.rope as { dimension_sections?: unknown } | undefined
  return rope?.dimension_sections !== undefined
}

function no(reason: DeclineReason, detail: string): Declined {
  return { ok: false, reason, detail }
}
