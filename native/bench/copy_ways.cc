#include "copy_ways.h"

#include <cstdint>
#include <cstring>
#include <vector>

#include "copy/copy_runs.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define KVBM_BENCH_AVX2 __attribute__((target("avx2")))
#endif

namespace kvbm::bench {
namespace {

void ByMemcpy(std::span<const Block> blocks, std::size_t bytes) {
  for (const Block& block : blocks) std::memcpy(block.target, block.source, bytes);
}

#if defined(__x86_64__)

KVBM_BENCH_AVX2 inline void StreamLine(std::byte* target, const std::byte* source) {
  const auto* const from = reinterpret_cast<const __m256i*>(source);
  auto* const to = reinterpret_cast<__m256i*>(target);
  const __m256i low = _mm256_loadu_si256(from);
  const __m256i high = _mm256_loadu_si256(from + 1);
  _mm256_stream_si256(to, low);
  _mm256_stream_si256(to + 1, high);
}

KVBM_BENCH_AVX2 void ByNonTemporalStores(std::span<const Block> blocks, std::size_t bytes) {
  for (const Block& block : blocks) {
    for (std::size_t at = 0; at < bytes; at += 64) {
      StreamLine(block.target + at, block.source + at);
    }
  }
  _mm_sfence();
}

KVBM_BENCH_AVX2 void ByFourQuarters(std::span<const Block> blocks, std::size_t bytes) {
  const std::size_t quarter = bytes / 4;
  for (const Block& block : blocks) {
    for (std::size_t at = 0; at < quarter; at += 64) {
      for (std::size_t k = 0; k < 4; k++) {
        StreamLine(block.target + k * quarter + at, block.source + k * quarter + at);
      }
    }
  }
  _mm_sfence();
}

template <bool Ahead>
KVBM_BENCH_AVX2 void ByFourBlocks(std::span<const Block> blocks, std::size_t bytes) {
  std::size_t first = 0;
  for (; first + 4 <= blocks.size(); first += 4) {
    const std::span<const Block> four = blocks.subspan(first, 4);
    const std::size_t after = first + 8 <= blocks.size() ? first + 4 : first;
    const std::span<const Block> next = blocks.subspan(after, 4);
    for (std::size_t at = 0; at < bytes; at += 64) {
      for (std::size_t k = 0; k < 4; k++) {
        if (Ahead) _mm_prefetch(reinterpret_cast<const char*>(next[k].source + at), _MM_HINT_T1);
        StreamLine(four[k].target + at, four[k].source + at);
      }
    }
  }
  ByNonTemporalStores(blocks.subspan(first), bytes);
}

bool HasAvx2() { return __builtin_cpu_supports("avx2") != 0; }

#endif

template <bool Sum>
void ByTheCore(std::span<const Block> blocks, std::size_t bytes) {
  static thread_local std::vector<std::uint32_t> sums;
  static thread_local std::vector<CopyRun> runs;
  sums.resize(blocks.size());
  runs.clear();
  for (std::size_t i = 0; i < blocks.size(); i++) {
    runs.push_back({blocks[i].target, blocks[i].source, bytes, Sum ? &sums[i] : nullptr});
  }
  CopyRuns(runs);
}

}  // namespace

CopyWay FindCopyWay(std::string_view name) {
  if (name == "memcpy") return ByMemcpy;
  if (name == "core") return ByTheCore<false>;
  if (name == "core-sum") return ByTheCore<true>;
#if defined(__x86_64__)
  if (!HasAvx2()) return nullptr;
  if (name == "non-temporal") return ByNonTemporalStores;
  if (name == "split") return ByFourQuarters;
  if (name == "interleaved") return ByFourBlocks<false>;
  if (name == "ahead") return ByFourBlocks<true>;
#endif
  return nullptr;
}

}  // namespace kvbm::bench
