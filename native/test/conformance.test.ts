import { describe, test } from 'vitest'
import { bindingConformance } from '../lib/testing/index.js'
import { onEachBinding } from './support/bindings.js'
import { useTemporaryDirectory } from './support/temporary-directory.js'

onEachBinding((make) => {
  const tempDirectory = useTemporaryDirectory()
  describe('conformance', () => {
    for (const { name, skip, run } of bindingConformance(make, { tempDirectory })) {
      if (skip === undefined) test(name, run)
      else test.skip(`${name} (skipped: ${skip})`, run)
    }
  })
})
