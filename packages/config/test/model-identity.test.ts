import { DType } from '@kvbm/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  fingerprintModel,
  KvManagerModelConfig,
  type ModelInput,
  modelFingerprint,
  modelSalt,
  type SaltOptions,
} from '../src/index.js'

const BASE = { modelId: 'm', numLayers: 4, outerDim: 2, pageSize: 16, innerDim: 256 } as const
const model = (fields: Partial<ModelInput> = {}) => KvManagerModelConfig.parse({ ...BASE, ...fields })

function failureOf(act: () => unknown): unknown {
  try {
    return act()
  } catch (error) {
    return error
  }
}

describe('salt', () => {
  test('flags change the salt, their order does not, and none leave it as it was', () => {
    const plain = modelSalt(model())
    expect(modelSalt(model(), { flags: [] })).toBe(plain)
    expect(modelSalt(model(), { flags: ['exact'] })).toBe(`${plain.slice(0, -1)},"flags":["exact"]}`)
    expect(modelSalt(model(), { flags: ['b', 'a', 'b'] })).toBe(modelSalt(model(), { flags: ['a', 'b'] }))
    expect(modelSalt(model(), { flags: ['ab'] })).not.toBe(modelSalt(model(), { flags: ['a', 'b'] }))
  })

  test('is canonical JSON text of model, dtype, order, adapters and tenant', () => {
    expect(modelSalt(model())).toBe('{"modelId":"m","dtype":"fp16","innerOrder":"nhd","loras":[],"tenant":null}')
    expect(modelSalt(model({ dtype: DType.opaque(34) }), { tenant: 'acme', loras: ['b', 'a', 'b'] })).toBe(
      '{"modelId":"m","dtype":"opaque:34","innerOrder":"nhd","loras":["a","b"],"tenant":"acme"}',
    )
  })

  test.each<[string, Partial<ModelInput>, object]>([
    ['model', { modelId: 'n' }, {}],
    ['dtype', { dtype: 'bf16' }, {}],
    ['inner order', { innerOrder: 'hnd' }, {}],
    ['adapter', {}, { loras: ['a'] }],
    ['tenant', {}, { tenant: 'acme' }],
    ['tenant, even an empty one,', {}, { tenant: '' }],
  ])('another %s is another salt', (_what, fields, options) => {
    expect(modelSalt(model(fields), options)).not.toBe(modelSalt(model()))
  })

  test('different adapters and tenants never meet in one salt', () => {
    const options = fc.record({ tenant: fc.string(), loras: fc.uniqueArray(fc.string(), { maxLength: 4 }) })
    const same = (a: { tenant: string; loras: string[] }, b: { tenant: string; loras: string[] }) =>
      a.tenant === b.tenant && JSON.stringify([...a.loras].sort()) === JSON.stringify([...b.loras].sort())
    fc.assert(fc.property(options, options, (a, b) => (modelSalt(model(), a) === modelSalt(model(), b)) === same(a, b)))
  })

  test.each<[string, unknown, RegExp]>([
    ['a misspelt tenant', { tennant: 'x' }, /^salt\.tennant: expected a known name\. Did you mean tenant\?$/],
    ['one adapter', { lora: ['a'] }, /^salt\.lora: .* Did you mean loras\?$/],
    ['a set of adapters', { loraSet: 'a' }, /^salt\.loraSet: .* Did you mean loras\?$/],
    ['a name like no other', { who: 'x' }, /^salt\.who: .* Known names: tenant, loras, flags\.$/],
    ['an endless name', { ['x'.repeat(100_000)]: 'x' }, /^salt\.x{50,100}…: /],
    ['a tenant that is a number', { tenant: 5 }, /^salt\.tenant: expected a string, got number/],
    ['a tenant that is null', { tenant: null }, /^salt\.tenant: expected a string, got null/],
    ['adapters as one text', { loras: 'ab' }, /^salt\.loras: expected an array of strings, got string/],
    ['an adapter that is a number', { loras: ['a', 1] }, /^salt\.loras: expected an array of strings, got array/],
    ['flags as a set', { flags: new Set(['exact']) }, /^salt\.flags: expected an array of strings, got set/],
    ['null', null, /^salt: expected an object .*, got null/],
    ['a tenant alone', 'acme', /^salt: expected an object .*, got string/],
    ['a list', ['acme'], /^salt: expected an object .*, got array/],
    ['a map', new Map([['tenant', 'acme']]), /^salt: expected an object .*, got map/],
  ])('from JavaScript, %s is a TypeError and never an unsalted name', (_what, options, message) => {
    const failure = failureOf(() => modelSalt(model(), options as SaltOptions))
    expect(failure).toBeInstanceOf(TypeError)
    expect((failure as Error).message).toMatch(message)
  })

  test('a field that is undefined is as good as absent', () => {
    const absent = { tenant: undefined, loras: undefined, flags: undefined }
    expect(modelSalt(model(), absent)).toBe(modelSalt(model()))
    expect(modelSalt(model(), undefined)).toBe(modelSalt(model()))
  })

  test('geometry is not in it: it is what the fingerprint is for', () => {
    expect(modelSalt(model({ numLayers: 8 }))).toBe(modelSalt(model()))
  })
})

describe('fingerprint', () => {
  test('is canonical JSON text of everything that says what the bytes mean', () => {
    expect(modelFingerprint(model())).toBe(
      '{"version":1,"modelId":"m","numLayers":4,"outerDim":2,"pageSize":16,"innerDim":256,"dtype":"fp16",' +
        '"byteOrder":"layer,outer,token,inner","hashAlgorithm":"sha256"}',
    )
  })

  test.each<[string, Partial<ModelInput>]>([
    ['model', { modelId: 'n' }],
    ['number of layers', { numLayers: 5 }],
    ['outer dimension', { outerDim: 1 }],
    ['page size', { pageSize: 32 }],
    ['inner dimension', { innerDim: 512 }],
    ['dtype', { dtype: 'bf16' }],
    ['inner order', { innerOrder: 'hnd' }],
    ['hash algorithm', { hashAlgorithm: 'xxh3' }],
  ])('another %s is another fingerprint', (_what, fields) => {
    expect(modelFingerprint(model(fields))).not.toBe(modelFingerprint(model()))
  })

  test('heads count only where they stand before the tokens', () => {
    const heads = (kvHeads: number, fields: Partial<ModelInput> = {}) =>
      modelFingerprint(model({ kvHeads, headDim: 256 / kvHeads, ...fields }))
    expect([heads(2), heads(4)]).toEqual([modelFingerprint(model()), modelFingerprint(model())])
    expect(heads(2, { innerOrder: 'hnd' })).not.toBe(heads(4, { innerOrder: 'hnd' }))
  })

  test('a width and the dtype it stands for are the same', () => {
    expect(modelFingerprint(model({ dtypeWidthBytes: 2 }))).toBe(modelFingerprint(model({ dtype: 'fp16' })))
  })

  test.each<[string, Partial<ModelInput>]>([
    ['of the usual kind', {}],
    ['with heads first', { innerOrder: 'hnd', kvHeads: 4, headDim: 64 }],
    ['with heads first and not counted', { innerOrder: 'hnd' }],
    ['of opaque rows', { dtype: DType.opaque(34) }],
    ['named by xxh3', { hashAlgorithm: 'xxh3', dtype: 'bf16' }],
  ])('a model %s is read back from its fingerprint, with the same salt', (_what, fields) => {
    const read = fingerprintModel(modelFingerprint(model(fields)))
    expect(read).toEqual(model(fields))
    expect(modelSalt(read!, { tenant: 'a' })).toBe(modelSalt(model(fields), { tenant: 'a' }))
  })

  test.each(['', '{}', 'null', '{"model":"other"}', modelFingerprint(model()).replace('"version":1', '"version":2')])(
    'no model is read from %j',
    (text) => {
      expect(fingerprintModel(text)).toBeUndefined()
    },
  )
})
