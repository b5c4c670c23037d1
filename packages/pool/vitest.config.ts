import { mergeConfig } from 'vitest/config'
import { preset } from '../../vitest.preset.ts'

// Tests run in child processes; those of the leak alarm must be able to ask for a garbage collection.
export default mergeConfig(preset('pool'), { test: { execArgv: ['--expose-gc'] } })
