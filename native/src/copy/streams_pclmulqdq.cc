// Compiled with PCLMULQDQ and SSE4.2 switched on; see streams.h.
#include "copy/streams.h"

#if (defined(__PCLMUL__) && defined(__SSE4_2__)) || (defined(_MSC_VER) && defined(_M_X64))
#include <nmmintrin.h>
#include <wmmintrin.h>

#include "hash/crc32c_fold.h"

namespace kvbm::streams {
namespace {

using crc32c::FoldHigh;
using crc32c::FoldLow;

/// A line, a quarter each.
struct Line {
  __m128i quarter[4];
};

inline __m128i Constants(std::uint64_t low, std::uint64_t high) {
  return _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low));
}

/// Moves 128 bits over what lies a number of bits behind them, by that number's constants.
inline __m128i Fold(__m128i sum, __m128i constants, __m128i next) {
  const __m128i low = _mm_clmulepi64_si128(sum, constants, 0x00);
  const __m128i high = _mm_clmulepi64_si128(sum, constants, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/// CRC32C of a line that stands for all lines before it.
inline std::uint32_t Reduce(const Line& line) {
  constexpr std::uint64_t fold_low = FoldLow(128), fold_high = FoldHigh(128);
  const __m128i constants = Constants(fold_low, fold_high);
  __m128i sum = line.quarter[0];
  for (int i = 1; i < 4; i++) sum = Fold(sum, constants, line.quarter[i]);
  const auto low = static_cast<std::uint64_t>(_mm_cvtsi128_si64(sum));
  const auto high = static_cast<std::uint64_t>(_mm_extract_epi64(sum, 1));
  return static_cast<std::uint32_t>(_mm_crc32_u64(_mm_crc32_u64(0, low), high));
}

template <bool Copy, bool Ahead>
inline Line Take(const Streams& streams, std::size_t k, std::size_t at) {
  if constexpr (Ahead) {
    _mm_prefetch(reinterpret_cast<const char*>(streams.ahead[k] + at), _MM_HINT_T1);
  }
  const auto* const source = reinterpret_cast<const __m128i*>(streams.source[k] + at);
  auto* const target = reinterpret_cast<__m128i*>(streams.target[k] + at);
  Line line;
  for (int i = 0; i < 4; i++) line.quarter[i] = _mm_loadu_si128(source + i);
  if constexpr (Copy) {
    for (int i = 0; i < 4; i++) _mm_stream_si128(target + i, line.quarter[i]);
  }
  return line;
}

template <bool Copy, bool Ahead>
void Run(Streams& given, std::size_t lines) {
  if (lines == 0) return;
  const Streams streams = given;
  constexpr std::uint64_t low = FoldLow(512), high = FoldHigh(512);
  const __m128i constants = Constants(low, high);
  Line sums[kStreams];
  for (std::size_t k = 0; k < kStreams; k++) {
    sums[k] = Take<Copy, Ahead>(streams, k, 0);
    const __m128i seed = _mm_cvtsi32_si128(static_cast<int>(streams.crc[k]));
    sums[k].quarter[0] = _mm_xor_si128(sums[k].quarter[0], seed);
  }
  const std::size_t bytes = lines * kLineBytes;
  for (std::size_t at = kLineBytes; at < bytes; at += kLineBytes) {
    for (std::size_t k = 0; k < kStreams; k++) {
      const Line line = Take<Copy, Ahead>(streams, k, at);
      for (int i = 0; i < 4; i++) {
        sums[k].quarter[i] = Fold(sums[k].quarter[i], constants, line.quarter[i]);
      }
    }
  }
  for (std::size_t k = 0; k < kStreams; k++) given.crc[k] = Reduce(sums[k]);
}

/// a · b · x³³: the product comes out times x, the instruction for CRCs adds x³².
inline std::uint32_t MultiplyAndShift(std::uint32_t a, std::uint32_t b) {
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi32_si128(static_cast<int>(a)),
                                               _mm_cvtsi32_si128(static_cast<int>(b)), 0);
  const auto low = static_cast<std::uint64_t>(_mm_cvtsi128_si64(product));
  return static_cast<std::uint32_t>(_mm_crc32_u64(0, low));
}

}  // namespace

void SumByPclmulqdq(Streams& streams, std::size_t lines) { Run<false, false>(streams, lines); }
void CopySumByPclmulqdq(Streams& streams, std::size_t lines) { Run<true, false>(streams, lines); }
void CopySumAheadByPclmulqdq(Streams& streams, std::size_t lines) {
  Run<true, true>(streams, lines);
}

std::uint32_t MultiplyByPclmulqdq(std::uint32_t a, std::uint32_t b) {
  // x has the order 2³¹ − 1, so this is x to the power of −66.
  constexpr std::uint32_t back = crc32c::PowerOfBits((std::uint64_t{1} << 31) - 1 - 66);
  return MultiplyAndShift(MultiplyAndShift(a, b), back);
}

}  // namespace kvbm::streams

#else

// Not for this kind of CPU or by this compiler: never called.
namespace kvbm::streams {
void SumByPclmulqdq(Streams&, std::size_t) {}
void CopySumByPclmulqdq(Streams&, std::size_t) {}
void CopySumAheadByPclmulqdq(Streams&, std::size_t) {}
std::uint32_t MultiplyByPclmulqdq(std::uint32_t, std::uint32_t) { return 0; }
}  // namespace kvbm::streams

#endif
