import { expect, test } from 'vitest'
import { parseReplayOptions } from '../src/options.js'

test('no flags give the default run; --help gives none', () => {
  expect(parseReplayOptions([])).toMatchObject({
    seed: 1,
    deviceBlocks: 1500,
    hostBlocks: 5000,
    diskBlocks: 20_000,
    blockBytes: 65_536,
    crash: true,
  })
  expect(parseReplayOptions(['--help'])).toBeUndefined()
})

test.each([
  [['--block-bytes', '5000'], '--block-bytes: expected a multiple of 4096, got 5000. Try 8192.'],
  [['--requests', 'many'], "--requests: expected a whole number of at least 1, got 'many'"],
  [['--device-blocks', '-1'], '--device-blocks'],
  [['--device-blocks', '0', '--host-blocks', '0', '--disk-blocks', '0'], 'there is no tier'],
  [['--colour'], '--colour'],
])('a flag that cannot be used is named with its remedy: %j', (args, message) => {
  expect(() => parseReplayOptions(args)).toThrow(message)
})
