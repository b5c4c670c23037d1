import { test } from 'vitest'
import { chunksOf, ServedWorld } from './support/served-world.js'
import { temporaryDirectory } from './support/temporary-directory.js'

test('adhoc', { timeout: 300_000 }, async () => {
  await using blocks = await temporaryDirectory()
  const options = {
    cache: { dir: blocks.path, host: '512MiB', disk: '1GiB' },
    model: { modelPath: '/tmp/kvbm-models/SmolLM2-135M-Instruct.Q4_1.gguf', slots: 2, contextTokens: 2048 },
  }
  const system = Array.from({ length: 180 }, (_, i) => `Rule ${i} says that item ${i * 7} is fine.`)
    .join(' ')
    .slice(0, 4200)
  const run = async (world: ServedWorld, q: string, kv = {}) => {
    const t = performance.now()
    const r = await world.post('/v1/chat/completions', {
      messages: [
        { role: 'system', content: system },
        { role: 'user', content: q },
      ],
      temperature: 0,
      max_tokens: 8,
      stream: true,
      kv,
    })
    let first = 0
    let n = 0
    for await (const c of chunksOf(r)) {
      if (n++ === 0) {
        first = performance.now() - t
        console.log(q, first.toFixed(0), 'ms', JSON.stringify(c.kv))
      }
    }
    console.log('   total', (performance.now() - t).toFixed(0))
  }
  {
    await using world = await ServedWorld.open(options)
    await run(world, 'What is rule 3?')
    await run(world, 'What is rule 3?')
    await run(world, 'And what is rule 5, please?')
    await run(world, 'And what is rule 9, please?', { exact: true })
    await run(world, 'And what is rule 8, please?', { exact: true })
    await run(world, 'Not cached?', { cache: false })
    await run(world, 'Not cached?', { cache: false })
    await run(world, 'What is rule 4?')
  }
  await using world = await ServedWorld.open(options)
  await run(world, 'What is rule 3?')
  console.log(JSON.stringify(world.kv.status().counters))
})
