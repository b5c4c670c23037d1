import { ALIGNMENT_MAX, BLOCKS_MAX } from '@kvbm/core'

/** Tokens of one block at most: hashes count them in 32 bits. */
export const PAGE_SIZE_MAX = 2 ** 32 - 1

/** What a field must be, and what to do when it is not. */
export interface FieldRule {
  readonly rule: string
  readonly remedy: string
}

const tier = "for example hostLayout: { bytes: '4GiB' }"

/** Rules of single fields by path; the three layouts share theirs under `layout`. */
const FIELD_RULES: Readonly<Record<string, FieldRule>> = Object.freeze({
  config: {
    rule: 'a plain object, a builder or a built configuration',
    remedy: `Give at least a model and one tier, ${tier}.`,
  },
  integrity: { rule: 'true or false', remedy: 'Leave it out to keep checksums on, or give false.' },
  eventManager: { rule: 'an object with a publish method', remedy: 'Give an EventManager, or leave it out.' },

  runtime: { rule: 'a plain object or a KvManagerRuntimeConfig', remedy: 'Leave it out for the defaults.' },
  'runtime.workerId': {
    rule: 'an integer of 0 or more',
    remedy: 'Give this worker its number, for example workerId: 0.',
  },
  'runtime.signal': { rule: 'an AbortSignal', remedy: 'Give the signal of an AbortController.' },
  'runtime.nixl': {
    rule: 'NixlOptions.Enabled, NixlOptions.EnabledWithAgent(agent) or NixlOptions.Disabled',
    remedy: 'Call enableNixl(), useNixlAgent(agent) or disableNixl(), or leave it out.',
  },
  'runtime.nixl.agent': {
    rule: 'a transfer agent: an object with a name that is not empty and a close method',
    remedy: 'Give an agent that was created, or use enableNixl() to have one made.',
  },
  'runtime.nixl.required': { rule: 'true or false', remedy: 'Give true to fail without NIXL, or leave it out.' },
  'runtime.asyncRuntime': {
    rule: 'a transfer runtime: an object with submit, stats and close methods',
    remedy: 'Give the result of createTransferRuntime(), or leave it out to share the one of this process.',
  },
  'runtime.metricsRegistry': {
    rule: 'a prom-client Registry',
    remedy: 'Give new Registry() of prom-client, or leave it out for no metrics.',
  },
  'runtime.logger': {
    rule: 'a logger: an object with debug, info, warn and error methods',
    remedy: 'Give console or a pino logger, or leave it out for silence.',
  },
  'runtime.native': {
    rule: "'auto', 'required' or 'portable'",
    remedy: "Leave it out for 'auto': native code where there is some, the portable twin elsewhere.",
  },

  model: {
    rule: 'a plain object or a KvManagerModelConfig',
    remedy: 'Give the shape of the model: numLayers, outerDim, pageSize and innerDim.',
  },
  'model.modelId': { rule: 'a text that is not empty', remedy: "Name the model, for example modelId: 'my-model'." },
  'model.numLayers': {
    rule: 'an integer of 1 or more',
    remedy: 'Give the number of layers, for example numLayers: 32.',
  },
  'model.outerDim': { rule: '1 or 2', remedy: 'Give 2 for key and value, 1 for a fused cache (MLA).' },
  'model.pageSize': {
    rule: `an integer of 1 to ${PAGE_SIZE_MAX}`,
    remedy: 'Give the tokens per block, for example pageSize: 16.',
  },
  'model.innerDim': {
    rule: 'an integer of 1 or more',
    remedy: 'Give the elements per token, layer and outer entry: KV heads × head size, for example innerDim: 1024.',
  },
  'model.kvHeads': { rule: 'an integer of 1 or more', remedy: 'Give the number of KV heads, for example kvHeads: 8.' },
  'model.headDim': { rule: 'an integer of 1 or more', remedy: 'Give the size of one head, for example headDim: 128.' },
  'model.dtype': {
    rule: "'fp8-e4m3', 'fp8-e5m2', 'fp16', 'bf16', 'fp32', 'int8' or DType.opaque(bytesPerToken)",
    remedy: 'Take a constant of DType, for example DType.FP16.',
  },
  'model.dtypeWidthBytes': {
    rule: '1, 2 or 4',
    remedy: 'Say dtype instead, which is exact; a width means fp8-e4m3, fp16 or fp32.',
  },
  'model.innerOrder': { rule: "'nhd' or 'hnd'", remedy: "Leave it out for 'nhd': tokens, then heads." },
  'model.hashAlgorithm': {
    rule: "'sha256' or 'xxh3'",
    remedy: "Leave it out for 'sha256', which keeps tenants apart.",
  },

  layout: {
    rule: 'a plain object or a KvManagerLayoutConfig',
    remedy: "Give the size of the tier, for example { numBlocks: 1000 } or { bytes: '4GiB' }, or leave the tier out.",
  },
  'layout.numBlocks': {
    rule: `an integer of 1 to ${BLOCKS_MAX}`,
    remedy: "Give the size of the tier: numBlocks: 1000 or bytes: '4GiB'. Leave the layout out for no such tier.",
  },
  'layout.bytes': {
    rule: "a number of bytes of 1 or more, such as 4096, '24GiB' (24 × 2^30) or '10GB' (10 × 10^9)",
    remedy: "Write the unit as kB, MB, GB, TB or KiB, MiB, GiB, TiB, for example bytes: '4GiB'.",
  },
  'layout.layoutType': {
    rule: 'LayoutType.FullyContiguous, LayerSeparate, LayerSeparateBlockContiguous, Paged or Custom(strategy)',
    remedy: 'Take a constant of LayoutType; a custom strategy is an object with a name and a bind method.',
  },
  'layout.storage': {
    rule: 'a list of one or more storages',
    remedy: 'Give storages made by an allocator or by wrapMemory(), or leave storage out.',
  },
  'layout.allocator': {
    rule: "an allocator, or its description: { kind: 'device' | 'pinned' | 'system' } or { kind: 'disk', path }",
    remedy: "Leave it out for the tier's own allocator; a disk tier needs { kind: 'disk', path: './kv-cache' }.",
  },
  'layout.allocator.kind': {
    rule: "'device', 'pinned', 'system' or 'disk'",
    remedy: "Use 'device' for the device tier, 'pinned' or 'system' for the host tier, 'disk' for the disk tier.",
  },
  'layout.allocator.device': {
    rule: "'cpu' or 'cuda:' and a number",
    remedy: "Leave it out for the best device here, or give for example device: 'cuda:0'.",
  },
  'layout.allocator.path': {
    rule: 'the path of a directory',
    remedy: "Say where the blocks are kept, for example allocator: { kind: 'disk', path: './kv-cache' }.",
  },
  'layout.allocator.quota': {
    rule: "a number of bytes of 1 or more, such as 4096, '24GiB' (24 × 2^30) or '10GB' (10 × 10^9)",
    remedy:
      "Write the unit as kB, MB, GB, TB or KiB, MiB, GiB, TiB, for example quota: '20GiB'; without one only the disk is a bound.",
  },
  'layout.logical': {
    rule: 'BlockParallelismStrategy.LeaderWorkerSharded or LeaderWorkerReplicated',
    remedy: 'Take a constant of BlockParallelismStrategy, or leave logical out.',
  },
  'layout.offloadFilter': {
    rule: 'an object with a shouldOffload method',
    remedy: 'Give an OffloadFilter, or leave it out to offload every block.',
  },
  'layout.alignment': {
    rule: `a power of two from 1 to ${ALIGNMENT_MAX}`,
    remedy: 'Give the alignment of blocks in bytes, for example 4096, or leave it out.',
  },
  'layout.duplicates': { rule: "'allow' or 'reject'", remedy: "Leave it out for 'allow'." },
  'layout.access': { rule: "'exclusive' or 'shared'", remedy: "Leave it out for 'exclusive'." },
} satisfies Record<string, FieldRule>)

/** The rule of a path such as `hostLayout.storage.0`, or of the closest field around it. */
export function fieldRule(path: readonly string[]): FieldRule {
  const names = path.map((name) => (/^(device|host|disk)Layout$/.test(name) ? 'layout' : name))
  for (let length = names.length; length > 0; length--) {
    const found = FIELD_RULES[names.slice(0, length).join('.')]
    if (found !== undefined) return found
  }
  return FIELD_RULES.config!
}
