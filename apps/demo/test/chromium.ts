import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** The Chromium of this machine: what `KVBM_CHROMIUM` names, else one on the path; undefined where there is none. */
export function findChromium({ KVBM_CHROMIUM, PATH = '' }: NodeJS.ProcessEnv): string | undefined {
  const onPath = NAMES.flatMap((name) => PATH.split(delimiter).map((folder) => join(folder, name)))
  return [KVBM_CHROMIUM ?? '', ...onPath].find((path) => path !== '' && existsSync(path))
}
