/** Why the engine cannot be had here; undefined where it can. */
export async function missingEngine(): Promise<string | undefined> {
  try {
    const { getLlama } = await import('node-llama-cpp')
    const llama = await getLlama({ build: 'never', skipDownload: true, gpu: false, progressLogs: false })
    await llama.dispose()
    return undefined
  } catch (error) {
    return `node-llama-cpp does not start here: ${error instanceof Error ? error.message : String(error)}`
  }
}
