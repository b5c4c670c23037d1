import type { Llama } from 'node-llama-cpp'

/**
 * The engine on the CPU, or why it cannot be had. One thread by default: threads that wait for each other spin, and on a busy machine
 * two of them take a hundred times as long as one.
 */
export async function findEngine(threads = 1): Promise<Llama | string> {
  try {
    const { getLlama, LlamaLogLevel } = await import('node-llama-cpp')
    return await getLlama({
      build: 'never',
      skipDownload: true,
      gpu: false,
      maxThreads: threads,
      logLevel: LlamaLogLevel.error,
      progressLogs: false,
    })
  } catch (error) {
    return `node-llama-cpp does not start here: ${error instanceof Error ? error.message : String(error)}`
  }
}
