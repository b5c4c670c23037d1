import type { TierName } from '@kvbm/core'
import { expectTypeOf, test } from 'vitest'
import type { z } from 'zod'
import {
  type ConfigInput,
  DType,
  KvBlockManagerConfig,
  KvManagerLayoutConfig,
  KvManagerModelConfig,
  KvManagerRuntimeConfig,
  type LayoutInput,
  type ModelInput,
  type StrictInput,
  type TiersOf,
} from '../src/index.js'
import type { layoutSchema } from '../src/layout-schema.js'
import type { modelSchema } from '../src/model-schema.js'

const model = { numLayers: 4, outerDim: 2, pageSize: 16, innerDim: 256 } as const
const shape = KvManagerModelConfig.builder().numLayers(4).outerDim(2).pageSize(16)

/** Says which tiers the type of a configuration has, as the manager's `create` does. */
function tiersOf<const C extends ConfigInput>(_config: C & StrictInput<C>): { readonly tiers: TiersOf<C> } {
  return undefined as never
}

/** Compiled, never run. */
function compiled(_body: () => unknown): void {}

test('a model builder without a required field does not compile', () => {
  compiled(() => {
    // @ts-expect-error everything is missing
    KvManagerModelConfig.builder().build()
    // @ts-expect-error innerDim is missing
    shape.build()
    // @ts-expect-error headDim is missing
    shape.kvHeads(8).build()
    // @ts-expect-error pageSize is missing
    KvManagerModelConfig.builder().numLayers(4).outerDim(2).innerDim(256).build()
    shape.innerDim(256).build()
    shape.kvHeads(8).headDim(128).build()
    shape.dtype(DType.opaque(34)).build()
    shape.dtype(DType.BF16).innerDim(256).build()
    // @ts-expect-error an element type does not say how long a row is
    shape.dtype(DType.BF16).build()
  })
})

test('a layout builder without a size does not compile, alone or in its parent', () => {
  compiled(() => {
    // @ts-expect-error numBlocks or bytes is missing
    KvManagerLayoutConfig.builder().build()
    KvManagerLayoutConfig.builder().numBlocks(4).build()
    KvManagerLayoutConfig.builder().bytes('4GiB').build()
    const parent = KvBlockManagerConfig.builder().model(model)
    // @ts-expect-error numBlocks or bytes is missing
    parent.hostLayout(KvManagerLayoutConfig.builder())
    parent.hostLayout(KvManagerLayoutConfig.builder().numBlocks(4))
    // @ts-expect-error a model is not a layout
    parent.hostLayout(shape.innerDim(256))
  })
})

test('a whole configuration without a model does not compile', () => {
  compiled(() => {
    // @ts-expect-error model is missing
    KvBlockManagerConfig.builder().hostLayout({ numBlocks: 4 }).build()
    // @ts-expect-error model is missing
    KvBlockManagerConfig.parse({ hostLayout: { numBlocks: 4 } })
    // @ts-expect-error model is missing in the builder
    tiersOf(KvBlockManagerConfig.builder().hostLayout({ numBlocks: 4 }))
    // @ts-expect-error the incomplete model does not fit
    KvBlockManagerConfig.builder().model(shape)
  })
})

test('the tiers of a literal, of a builder and of a built configuration are known exactly', () => {
  compiled(() => {
    const literal = tiersOf({ model, hostLayout: { numBlocks: 4 }, diskLayout: { bytes: '1GiB' } })
    expectTypeOf(literal.tiers).toEqualTypeOf<'host' | 'disk'>()
    const builder = KvBlockManagerConfig.builder().model(model).deviceLayout({ numBlocks: 4 })
    expectTypeOf(tiersOf(builder).tiers).toEqualTypeOf<'device'>()
    const built = builder.hostLayout({ numBlocks: 9 }).build()
    expectTypeOf(built).toEqualTypeOf<KvBlockManagerConfig<'device' | 'host'>>()
    expectTypeOf(tiersOf(built).tiers).toEqualTypeOf<'device' | 'host'>()
    expectTypeOf(
      tiersOf({ model, hostLayout: { numBlocks: 4 }, deviceLayout: undefined }).tiers,
    ).toEqualTypeOf<'host'>()
  })
})

test('a wide configuration has all three tiers', () => {
  compiled(() => {
    const wide = undefined as unknown as KvBlockManagerConfig
    expectTypeOf(tiersOf(wide).tiers).toEqualTypeOf<TierName>()
    expectTypeOf<TiersOf<ConfigInput>>().toEqualTypeOf<TierName>()
    expectTypeOf<KvBlockManagerConfig<'host'>>().toExtend<KvBlockManagerConfig>()
  })
})

test('a misspelt key of a literal does not compile', () => {
  compiled(() => {
    // @ts-expect-error hostLayot is not known
    tiersOf({ model, hostLayot: { numBlocks: 4 } })
    // @ts-expect-error numBlock is not known
    KvManagerLayoutConfig.parse({ numBlock: 4 })
    // @ts-expect-error there is no such method
    KvManagerRuntimeConfig.builder().workerID(0)
  })
})

test('the documented input types are what the schemas accept', () => {
  type Mutable<T> = { -readonly [K in keyof T]: T[K] }
  expectTypeOf<Mutable<ModelInput>>().toExtend<Omit<z.input<typeof modelSchema>, 'dtypeWidthBytes'>>()
  expectTypeOf<z.input<typeof modelSchema>>().toExtend<ModelInput>()
  expectTypeOf<keyof LayoutInput>().toEqualTypeOf<keyof z.input<typeof layoutSchema>>()
  expectTypeOf<z.input<typeof layoutSchema>>().toExtend<LayoutInput>()
})

test('resolved parts may be used as input again', () => {
  expectTypeOf<KvManagerModelConfig>().toExtend<ModelInput>()
  expectTypeOf<KvBlockManagerConfig>().toExtend<ConfigInput>()
})
