import { DType, ELEMENT_DTYPES, LayoutType } from '@kvbm/core'
import { isByteSize, parseBytes } from './byte-size.js'

/** How the text of a variable becomes a value. Anything else than `what` is an error that names the variable. */
interface Reader {
  /** What the text must be, worded as a rule. */
  readonly what: string
  /** The value, null for a text that means "as if unset", or undefined for one that cannot be read. */
  read(text: string): unknown
}

/** One row of the table of environment variables. */
export interface EnvironmentVariable {
  readonly name: string
  readonly meaning: string
  /** What holds when neither this nor another variable of its path is set; empty for nothing. */
  readonly default: string
  /** The field that it sets. */
  readonly path: string
  readonly reader: Reader
}

function oneOf(values: Readonly<Record<string, unknown>>): Reader {
  const names = Object.keys(values)
  return { what: names.join(', '), read: (text) => (Object.hasOwn(values, text) ? values[text] : undefined) }
}

const whole: Reader = {
  what: 'a whole number of 0 or more',
  read: (text) => (/^\d{1,15}$/.test(text) ? Number(text) : undefined),
}
const override: Reader = {
  what: whole.what,
  read: (text) => whole.read(text) || (/^0+$/.test(text) ? null : undefined),
}
const words: Reader = { what: 'a text that is not empty', read: (text) => (text === '' ? undefined : text) }
const bytes: Reader = {
  what: "a size such as '24GiB' (24 × 2^30 bytes) or '10GB' (10 × 10^9)",
  read: (text) => (isByteSize(text) ? parseBytes(text) : undefined),
}
const sizeIn = (unit: 'GiB' | 'GB', meaning: string): Reader => ({
  what: `a number of ${unit} (${meaning}), such as 24 or 1.5`,
  read: (text) => (/^\d+(\.\d+)?$/.test(text) && isByteSize(text + unit) ? parseBytes(text + unit) : undefined),
})
const gibibytes = sizeIn('GiB', '2^30 bytes')
const gigabytes = sizeIn('GB', '10^9 bytes')
const flag: Reader = oneOf({ true: true, 1: true, yes: true, on: true, false: false, 0: false, no: false, off: false })
const yesOrNo: Reader = {
  what: 'true, 1, yes, on, false, 0, no or off',
  read: (text) => flag.read(text.toLowerCase()),
}
const nixl = oneOf({
  on: { mode: 'enabled' },
  required: { mode: 'enabled', required: true },
  off: { mode: 'disabled' },
})
const layout = oneOf({
  'fully-contiguous': LayoutType.FullyContiguous,
  paged: LayoutType.Paged,
  'layer-separate': LayoutType.LayerSeparate,
  'layer-separate-block-contiguous': LayoutType.LayerSeparateBlockContiguous,
})
const dtype: Reader = {
  what: `${ELEMENT_DTYPES.join(', ')} or opaque:BYTES_PER_TOKEN`,
  read: (text) => {
    const opaque = /^opaque:([1-9]\d{0,9})$/.exec(text)
    if (opaque !== null) return DType.opaque(Number(opaque[1]))
    return (ELEMENT_DTYPES as readonly string[]).includes(text) ? text : undefined
  },
}
const device: Reader = {
  what: "'cpu' or 'cuda:' and a number",
  read: (text) => (/^(cpu|cuda:\d{1,4})$/.test(text) ? text : undefined),
}

function row(name: string, path: string, reader: Reader, fallback: string, meaning: string): EnvironmentVariable {
  return Object.freeze({ name, meaning, default: fallback, path, reader })
}

/**
 * Every variable that is read. Where two that are set concern the same field, the one further up in this table wins;
 * `numBlocks` and `bytes` of a tier are the same field in this respect, its size.
 */
export const ENVIRONMENT_VARIABLES: readonly EnvironmentVariable[] = Object.freeze([
  row('KVBM_WORKER_ID', 'runtime.workerId', whole, '', 'number of this worker'),
  row('WORKER_ID', 'runtime.workerId', whole, '0', 'the same'),
  row('KVBM_NIXL', 'runtime.nixl', nixl, '', 'remote transfer; unset: on where NIXL is found'),

  row('KVBM_MODEL_ID', 'model.modelId', words, 'default', 'name of the model in salts and fingerprints'),
  row('KVBM_NUM_LAYERS', 'model.numLayers', whole, '', 'layers'),
  row('NUM_LAYERS', 'model.numLayers', whole, '32', 'the same'),
  row('KVBM_OUTER_DIM', 'model.outerDim', whole, '2', '2 for key and value, 1 for a fused cache (MLA)'),
  row('KVBM_PAGE_SIZE', 'model.pageSize', whole, '16', 'tokens per block'),
  row(
    'KVBM_INNER_DIM',
    'model.innerDim',
    whole,
    '4096, unless heads are given',
    'elements per token, layer and outer entry',
  ),
  row('KVBM_KV_HEADS', 'model.kvHeads', whole, '', 'KV heads, instead of or beside the inner dimension'),
  row('KVBM_HEAD_DIM', 'model.headDim', whole, '', 'size of one head'),
  row('KVBM_DTYPE', 'model.dtype', dtype, 'fp16', 'type of one element'),
  row('KVBM_INNER_ORDER', 'model.innerOrder', oneOf({ nhd: 'nhd', hnd: 'hnd' }), 'nhd', 'order of tokens and heads'),
  row(
    'KVBM_HASH_ALGORITHM',
    'model.hashAlgorithm',
    oneOf({ sha256: 'sha256', xxh3: 'xxh3' }),
    'sha256',
    'how blocks are named',
  ),

  row('KVBM_DEVICE_NUM_BLOCKS', 'deviceLayout.numBlocks', whole, '', 'blocks of the device tier; 0: no such tier'),
  row('KVBM_DEVICE_BYTES', 'deviceLayout.bytes', bytes, '', 'size of the device tier, all of it; 0: no such tier'),
  row(
    'GPU_MEMORY_GB',
    'deviceLayout.numBlocks',
    gibibytes,
    '24, unless another tier has a size',
    'memory of the device in GiB; the tier takes 80 % of its blocks; 0: no such tier',
  ),
  row('KVBM_DEVICE', 'deviceLayout.allocator.device', device, 'the best one here', 'device of the device tier'),
  row('KVBM_DEVICE_LAYOUT', 'deviceLayout.layoutType', layout, 'fully-contiguous', 'layout of the device tier'),

  row('KVBM_HOST_NUM_BLOCKS', 'hostLayout.numBlocks', whole, '', 'blocks of the host tier; 0: no such tier'),
  row('KVBM_HOST_BYTES', 'hostLayout.bytes', bytes, '', 'size of the host tier; 0: no such tier'),
  row(
    'DYN_KVBM_CPU_CACHE_OVERRIDE_NUM_BLOCKS',
    'hostLayout.numBlocks',
    override,
    '',
    'the same in blocks, as Dynamo names it; 0: as if unset',
  ),
  row('DYN_KVBM_CPU_CACHE_GB', 'hostLayout.bytes', gigabytes, '', 'the same in GB (10^9 bytes), as Dynamo names it'),
  row(
    'KVBM_HOST_ALLOCATOR',
    'hostLayout.allocator.kind',
    oneOf({ pinned: 'pinned', system: 'system' }),
    'pinned',
    'memory of the host tier',
  ),
  row('KVBM_HOST_LAYOUT', 'hostLayout.layoutType', layout, 'fully-contiguous', 'layout of the host tier'),

  row('KVBM_DISK_NUM_BLOCKS', 'diskLayout.numBlocks', whole, '', 'blocks of the disk tier; 0: no such tier'),
  row('KVBM_DISK_BYTES', 'diskLayout.bytes', bytes, '', 'size of the disk tier; 0: no such tier'),
  row(
    'DYN_KVBM_DISK_CACHE_OVERRIDE_NUM_BLOCKS',
    'diskLayout.numBlocks',
    override,
    '',
    'the same in blocks, as Dynamo names it; 0: as if unset',
  ),
  row('DYN_KVBM_DISK_CACHE_GB', 'diskLayout.bytes', gigabytes, '', 'the same in GB (10^9 bytes), as Dynamo names it'),
  row(
    'KVBM_DISK_PATH',
    'diskLayout.allocator.path',
    words,
    '',
    'directory of the disk tier; needed where it has a size',
  ),
  row('KVBM_DISK_QUOTA', 'diskLayout.allocator.quota', bytes, '', 'bytes over all models in that directory'),
  row('DYN_KVBM_DISK_CACHE_DIR', 'diskLayout.allocator.path', words, '', 'the same, as Dynamo names it'),
  row(
    'KVBM_DISK_ACCESS',
    'diskLayout.access',
    oneOf({ exclusive: 'exclusive', shared: 'shared' }),
    'exclusive',
    'whether several processes may use the directory',
  ),
  row(
    'KVBM_DISK_IO_DEPTH',
    'diskLayout.allocator.io.depth',
    whole,
    '',
    'requests that the disk gets at a time; default: found by a trial',
  ),
  row(
    'KVBM_DISK_IO_REQUEST_BYTES',
    'diskLayout.allocator.io.requestBytes',
    bytes,
    '',
    'bytes of its longest request; default: found by a trial',
  ),

  row('KVBM_INTEGRITY', 'integrity', yesOrNo, 'true', 'checksums over every block'),
])

/** Variables of our prefix that other packages read; not a misspelling of ours. */
export const FOREIGN_VARIABLES: readonly string[] = Object.freeze(['KVBM_NATIVE', 'KVBM_NATIVE_PATH'])
