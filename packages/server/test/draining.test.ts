import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'
import { expect, onTestFinished, test } from 'vitest'

/** Node 20 cannot run TypeScript: the program is bundled with all that it imports. */
async function startProgram(): Promise<{ child: ChildProcessByStdio<null, Readable, null>; url: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'kvbm-server-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  await build({
    entry: { program: fileURLToPath(new URL('./support/serving-process.ts', import.meta.url)) },
    outDir: directory,
    outExtension: () => ({ js: '.mjs' }),
    format: ['esm'],
    target: 'node20',
    config: false,
    silent: true,
    noExternal: [/.*/],
    esbuildOptions: (options) => {
      options.conditions = ['@kvbm/source']
    },
  })
  const program = join(directory, 'program.mjs')
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return { child, url }
}

test.skipIf(process.platform === 'win32')('on SIGTERM a running answer ends whole, then the process ends', async () => {
  const { child, url } = await startProgram()
  const ended = once(child, 'exit')
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ messages: [{ role: 'user', content: 'hello' }], stream: true }),
  })
  child.kill('SIGTERM')
  const text = await response.text()
  expect(text).toContain('three')
  expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
  expect(await ended).toEqual([0, null])
  await expect(fetch(`${url}/healthz`)).rejects.toThrow()
})
