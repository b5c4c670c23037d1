import { defineConfig } from 'tsup'
import { preset } from '../tsup.preset'

export default defineConfig(preset(['lib/index.ts', 'lib/testing/index.ts']))
