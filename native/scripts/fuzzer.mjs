// Whether there is a clang that links libFuzzer.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PROBE = 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, decltype(sizeof(0))) { return 0; }\n'

/** What is missing, in words; empty when fuzzers can be built. */
export function missingFuzzer() {
  const folder = mkdtempSync(join(tmpdir(), 'kvbm-probe-'))
  try {
    const source = join(folder, 'probe.cc')
    writeFileSync(source, PROBE)
    const options = ['-fsanitize=fuzzer,address,undefined', source, '-o', join(folder, 'probe')]
    return spawnSync('clang++', options, { stdio: 'ignore' }).status === 0 ? [] : ['clang++ with libFuzzer']
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
