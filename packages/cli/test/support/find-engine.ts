/** Undefined when node-llama-cpp starts here, else why not. */
export async function findEngine(): Promise<string | undefined> {
  try {
    const { getLlama, LlamaLogLevel } = await import('node-llama-cpp')
    const quiet = { logLevel: LlamaLogLevel.error, progressLogs: false } as const
    const llama = await getLlama({ build: 'never', skipDownload: true, gpu: false, ...quiet })
    await llama.dispose()
    return undefined
  } catch (error) {
    return `node-llama-cpp does not start here: ${error instanceof Error ? error.message : String(error)}`
  }
}
