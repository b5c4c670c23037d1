import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import fastify from 'fastify'
import { expect, test } from 'vitest'
import { createKvServer, type KvServer } from '../src/index.js'
import { ScriptedModel } from './support/scripted-model.js'

const chat = { messages: [{ role: 'user', content: 'hello' }] }

/** A whole answer, a stream, a bad body and a foreign page, at `base`. */
async function expectServed(base: string): Promise<void> {
  const post = (body: string, headers = {}): Promise<Response> =>
    fetch(`${base}/v1/chat/completions`, {
      method: 'POST',
      body,
      headers: { 'Content-Type': 'application/json', ...headers },
    })
  const whole = await post(JSON.stringify(chat))
  expect(await whole.json()).toMatchObject({ choices: [{ message: { content: 'one two three' } }] })
  expect(await (await post(JSON.stringify({ ...chat, stream: true }))).text()).toMatch(/data: \[DONE\]\n\n$/)
  expect((await post('{')).status).toBe(400)
  expect((await post(JSON.stringify(chat), { Origin: 'https://evil.example' })).status).toBe(403)
}

async function listening(server: Server): Promise<{ readonly url: string } & AsyncDisposable> {
  if (!server.listening) await once(server.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = async (): Promise<void> => {
    server.close()
    server.closeAllConnections()
  }
  return { url, [Symbol.asyncDispose]: close }
}

const scripted = (): Promise<KvServer> => createKvServer({ models: [new ScriptedModel()] })

test('under node:http', async () => {
  await using kv = await scripted()
  await using mounted = await listening(createServer(kv.handle))
  await expectServed(mounted.url)
})

test('under Express, below a path of its own and before a parser of bodies', async () => {
  await using kv = await scripted()
  const app = express()
  app.use('/ai', kv.handle)
  app.use(express.json())
  app.post('/echo', (request, response) => void response.json(request.body))
  await using mounted = await listening(createServer(app))
  await expectServed(`${mounted.url}/ai`)
  const echo = { method: 'POST', body: '{"a":1}', headers: { 'Content-Type': 'application/json' } }
  expect(await (await fetch(`${mounted.url}/echo`, echo)).json()).toEqual({ a: 1 })
})

test('under Fastify, in a context of its own', async () => {
  await using kv = await scripted()
  const app = fastify()
  app.post('/echo', async (request) => request.body)
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, _body, done) => done(null))
    scope.all('/v1/*', (request, reply) => {
      reply.hijack()
      return kv.handle(request.raw, reply.raw)
    })
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  await using mounted = await listening(app.server)
  await expectServed(mounted.url)
  const echo = { method: 'POST', body: '{"a":1}', headers: { 'Content-Type': 'application/json' } }
  expect(await (await fetch(`${mounted.url}/echo`, echo)).json()).toEqual({ a: 1 })
})
