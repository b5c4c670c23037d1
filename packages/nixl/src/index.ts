export { createAgent } from './create-agent.js'
export type { Attempt } from './library-search.js'
export { type ProbeOptions, type ProbeResult, probe } from './probe.js'
