/** What `serve` and `bench` need beside this package; declared as optional peers. */
export interface Engine {
  readonly adapter: typeof import('@kvbm/node-llama-cpp')
  readonly models: typeof import('@kvbm/node-llama-cpp/models')
  readonly llama: typeof import('node-llama-cpp')
}

const INSTALL = 'npm install @kvbm/node-llama-cpp node-llama-cpp'

/** Loads the engine and its adapter. Throws an error with the command that installs them where one is missing. */
export async function loadEngine(command: string): Promise<Engine> {
  try {
    const adapter = await import('@kvbm/node-llama-cpp')
    const models = await import('@kvbm/node-llama-cpp/models')
    return { adapter, models, llama: await import('node-llama-cpp') }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new Error(`kvbm ${command} needs an engine. Install one beside kvbm (with -g if kvbm is): ${INSTALL}`, {
      cause,
    })
  }
}
