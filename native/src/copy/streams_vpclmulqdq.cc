// Compiled with AVX-512 and VPCLMULQDQ switched on; see streams.h.
#include "copy/streams.h"

#if defined(__AVX512F__) && (defined(__VPCLMULQDQ__) || defined(_MSC_VER))
#include <immintrin.h>

#include "hash/crc32c_fold.h"

namespace kvbm::streams {
namespace {

using crc32c::FoldHigh;
using crc32c::FoldLow;

/// Moves each 128 bits over what lies a number of bits behind them, by that number's constants.
inline __m512i Fold(__m512i sum, __m512i constants, __m512i next) {
  const __m512i low = _mm512_clmulepi64_epi128(sum, constants, 0x00);
  const __m512i high = _mm512_clmulepi64_epi128(sum, constants, 0x11);
  return _mm512_ternarylogic_epi64(low, high, next, 0x96);  // a ^ b ^ c
}

/// CRC32C of a line that stands for all lines before it.
inline std::uint32_t Reduce(__m512i sum) {
  constexpr std::uint64_t l3 = FoldLow(384), h3 = FoldHigh(384);
  constexpr std::uint64_t l2 = FoldLow(256), h2 = FoldHigh(256);
  constexpr std::uint64_t l1 = FoldLow(128), h1 = FoldHigh(128);
  const __m512i constants = _mm512_set_epi64(
      0, 0, static_cast<long long>(h1), static_cast<long long>(l1), static_cast<long long>(h2),
      static_cast<long long>(l2), static_cast<long long>(h3), static_cast<long long>(l3));
  const __m512i last = _mm512_maskz_mov_epi64(0xc0, sum);
  const __m512i folded = Fold(sum, constants, last);
  const __m256i half = _mm256_xor_si256(_mm512_castsi512_si256(folded),
                                        _mm512_extracti64x4_epi64(folded, 1));
  const __m128i quarter =
      _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  const auto low = static_cast<std::uint64_t>(_mm_cvtsi128_si64(quarter));
  const auto high = static_cast<std::uint64_t>(_mm_extract_epi64(quarter, 1));
  return static_cast<std::uint32_t>(_mm_crc32_u64(_mm_crc32_u64(0, low), high));
}

template <bool Copy, bool Ahead>
inline __m512i Take(const Streams& streams, std::size_t k, std::size_t at) {
  if constexpr (Ahead) {
    _mm_prefetch(reinterpret_cast<const char*>(streams.ahead[k] + at), _MM_HINT_T1);
  }
  const __m512i line = _mm512_loadu_si512(streams.source[k] + at);
  if constexpr (Copy) {
    _mm512_stream_si512(reinterpret_cast<__m512i*>(streams.target[k] + at), line);
  }
  return line;
}

template <bool Copy, bool Ahead>
void Run(Streams& given, std::size_t lines) {
  if (lines == 0) return;
  const Streams streams = given;
  constexpr std::uint64_t low = FoldLow(512), high = FoldHigh(512);
  const __m512i constants = _mm512_broadcast_i64x2(
      _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low)));
  __m512i sums[kStreams];
  for (std::size_t k = 0; k < kStreams; k++) {
    const __m128i crc = _mm_cvtsi32_si128(static_cast<int>(streams.crc[k]));
    const __m512i seed = _mm512_zextsi128_si512(crc);
    sums[k] = _mm512_xor_si512(Take<Copy, Ahead>(streams, k, 0), seed);
  }
  const std::size_t bytes = lines * kLineBytes;
  for (std::size_t at = kLineBytes; at < bytes; at += kLineBytes) {
    for (std::size_t k = 0; k < kStreams; k++) {
      sums[k] = Fold(sums[k], constants, Take<Copy, Ahead>(streams, k, at));
    }
  }
  for (std::size_t k = 0; k < kStreams; k++) given.crc[k] = Reduce(sums[k]);
}

}  // namespace

void SumByVpclmulqdq(Streams& streams, std::size_t lines) { Run<false, false>(streams, lines); }
void CopySumByVpclmulqdq(Streams& streams, std::size_t lines) { Run<true, false>(streams, lines); }
void CopySumAheadByVpclmulqdq(Streams& streams, std::size_t lines) {
  Run<true, true>(streams, lines);
}

}  // namespace kvbm::streams

#else

// Not for this kind of CPU or by this compiler: never called.
namespace kvbm::streams {
void SumByVpclmulqdq(Streams&, std::size_t) {}
void CopySumByVpclmulqdq(Streams&, std::size_t) {}
void CopySumAheadByVpclmulqdq(Streams&, std::size_t) {}
}  // namespace kvbm::streams

#endif
