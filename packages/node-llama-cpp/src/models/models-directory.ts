import { homedir } from 'node:os'
import { join } from 'node:path'

/** The surroundings that decide; by default those of this process. */
export interface ModelsDirectoryOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly platform?: NodeJS.Platform
  readonly home?: string
}

/** Where models are kept: `KVBM_MODELS_DIR`, else the platform's place for what can be fetched again. */
export function modelsDirectory(options: ModelsDirectoryOptions = {}): string {
  const { env = process.env, platform = process.platform, home = homedir() } = options
  if (env.KVBM_MODELS_DIR) return env.KVBM_MODELS_DIR
  if (platform === 'darwin') return join(home, 'Library', 'Caches', 'kvbm', 'models')
  if (platform === 'win32') return join(env.LOCALAPPDATA || join(home, 'AppData', 'Local'), 'kvbm', 'models')
  return join(env.XDG_CACHE_HOME || join(home, '.cache'), 'kvbm', 'models')
}
