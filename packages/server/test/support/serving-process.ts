import { createKvServer } from '../../src/index.js'
import { ScriptedModel } from './scripted-model.js'

// A program as the README has it. Its model says nothing until the signal has arrived.
const model = new ScriptedModel()
const server = await createKvServer({ models: [model] })
const { url } = await server.listen()
model.gate = new Promise((resolve) => process.once('SIGTERM', () => resolve()))
process.once('SIGTERM', () => server.close())
console.log(url)
