import { expect, test } from 'vitest'
import { parseReplayOptions } from '../src/replay-options.js'

test('no flags give the default run', () => {
  expect(parseReplayOptions([])).toEqual({
    trace: undefined,
    requests: 8000,
    seed: 1,
    deviceBlocks: 1500,
    hostBlocks: 5000,
    diskBlocks: 20_000,
    blockBytes: 65_536,
    dir: undefined,
    json: undefined,
    crash: true,
  })
})

test('a trace is served to its end unless a number is given', () => {
  expect(parseReplayOptions(['--trace', 'a.jsonl']).requests).toBe(Number.MAX_SAFE_INTEGER)
  expect(parseReplayOptions(['--trace=a.jsonl', '--requests=7'])).toMatchObject({ trace: 'a.jsonl', requests: 7 })
})

test.each([
  [['--block-bytes', '5000'], '--block-bytes: expected a multiple of 4096, got 5000. Try 8192.'],
  [['--block-bytes', '0'], "--block-bytes: expected a whole number from 4096 to 1073741824, got '0'. See --help."],
  [['--requests', 'many'], "--requests: expected a whole number from 1 to 9007199254740991, got 'many'. See --help."],
  [['--device-blocks', '-1'], "--device-blocks: expected a whole number from 0 to 134217728, got '-1'. See --help."],
  [['--host-blocks', '1e3'], "--host-blocks: expected a whole number from 0 to 134217728, got '1e3'. See --help."],
  [['--device-blocks=0', '--host-blocks=0', '--disk-blocks=0'], /there is no tier\. Give at least one of them blocks/],
  [['--diskblocks', '5'], 'There is no flag --diskblocks. Did you mean --disk-blocks? See --help.'],
  [['--toString'], 'There is no flag --toString. See --help.'],
  [['-x'], 'There is no flag -x. See --help.'],
  [['--trace'], '--trace: expected a value, got nothing. See --help.'],
  [['--dir', '--no-crash'], '--dir: expected a value, got --no-crash. See --help.'],
  [['--no-crash=yes'], "--no-crash: takes no value, got 'yes'. Leave the value out."],
  [['100'], "Only flags are expected here, got '100'. See --help."],
])('a flag that cannot be used is named with its remedy: %j', (args, message) => {
  expect(() => parseReplayOptions(args)).toThrow(message)
})
