import type { BlockHashes } from '@kvbm/core'
import { expectTypeOf, test } from 'vitest'
import type { BlockPool, CompleteBlocks, ImmutableBlocks, MutableBlocks, WeakBlocks } from '../src/index.js'

test('each state offers its own transitions and no others (case 55)', () => {
  expectTypeOf<MutableBlocks>().not.toHaveProperty('retain')
  expectTypeOf<MutableBlocks>().not.toHaveProperty('downgrade')
  expectTypeOf<MutableBlocks>().not.toHaveProperty('hashes')
  expectTypeOf<CompleteBlocks>().not.toHaveProperty('complete')
  expectTypeOf<CompleteBlocks>().not.toHaveProperty('retain')
  expectTypeOf<ImmutableBlocks>().not.toHaveProperty('register')
  expectTypeOf<WeakBlocks>().not.toHaveProperty('ids')
})

test('transitions lead from state to state', () => {
  expectTypeOf<BlockPool['allocate']>().returns.toEqualTypeOf<MutableBlocks>()
  expectTypeOf<MutableBlocks['complete']>().returns.toEqualTypeOf<CompleteBlocks>()
  expectTypeOf<MutableBlocks['register']>().returns.toEqualTypeOf<ImmutableBlocks>()
  expectTypeOf<CompleteBlocks['register']>().returns.toEqualTypeOf<ImmutableBlocks>()
  expectTypeOf<ImmutableBlocks['downgrade']>().returns.toEqualTypeOf<WeakBlocks>()
  expectTypeOf<WeakBlocks['upgrade']>().returns.toEqualTypeOf<ImmutableBlocks>()
  expectTypeOf<ImmutableBlocks['split']>().returns.toEqualTypeOf<[ImmutableBlocks, ImmutableBlocks]>()
})

test('every handle is disposable and read-only', () => {
  expectTypeOf<MutableBlocks | CompleteBlocks | ImmutableBlocks | WeakBlocks>().toExtend<Disposable>()
  expectTypeOf<ImmutableBlocks['hashes']>().toEqualTypeOf<BlockHashes>()
  // @ts-expect-error a handle's ids are given by the pool
  const assign = (blocks: ImmutableBlocks): unknown => (blocks.ids = new Uint32Array(0))
  expectTypeOf(assign).toBeFunction()
})

test('stats are read-only numbers', () => {
  expectTypeOf<ReturnType<BlockPool['stats']>>().toExtend<Readonly<Record<string, number>>>()
})
