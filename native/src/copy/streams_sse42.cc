// Compiled with SSE4.2 switched on; see streams.h.
#include "copy/streams.h"

#if defined(__SSE4_2__) || (defined(_MSC_VER) && defined(_M_X64))
#include <nmmintrin.h>
#include <string.h>

namespace kvbm::streams {
namespace {

/// One instruction takes three cycles but a new one starts every cycle: four streams fill them.
template <bool Copy, bool Ahead>
void Run(Streams& given, std::size_t lines) {
  const Streams streams = given;
  std::uint64_t sums[kStreams];
  for (std::size_t k = 0; k < kStreams; k++) sums[k] = streams.crc[k];
  const std::size_t bytes = lines * kLineBytes;
  for (std::size_t at = 0; at < bytes; at += kLineBytes) {
    for (std::size_t word = 0; word < kLineBytes; word += 8) {
      for (std::size_t k = 0; k < kStreams; k++) {
        std::uint64_t next;
        memcpy(&next, streams.source[k] + at + word, sizeof(next));
        sums[k] = _mm_crc32_u64(sums[k], next);
      }
    }
    for (std::size_t k = 0; Copy && k < kStreams; k++) {
      if constexpr (Ahead) {
        _mm_prefetch(reinterpret_cast<const char*>(streams.ahead[k] + at), _MM_HINT_T1);
      }
      const auto* const source = reinterpret_cast<const __m128i*>(streams.source[k] + at);
      auto* const target = reinterpret_cast<__m128i*>(streams.target[k] + at);
      for (int i = 0; i < 4; i++) _mm_stream_si128(target + i, _mm_loadu_si128(source + i));
    }
  }
  for (std::size_t k = 0; k < kStreams; k++) given.crc[k] = static_cast<std::uint32_t>(sums[k]);
}

}  // namespace

void SumBySse42(Streams& streams, std::size_t lines) { Run<false, false>(streams, lines); }
void CopySumBySse42(Streams& streams, std::size_t lines) { Run<true, false>(streams, lines); }
void CopySumAheadBySse42(Streams& streams, std::size_t lines) { Run<true, true>(streams, lines); }

}  // namespace kvbm::streams

#else

// Not for this kind of CPU or by this compiler: never called.
namespace kvbm::streams {
void SumBySse42(Streams&, std::size_t) {}
void CopySumBySse42(Streams&, std::size_t) {}
void CopySumAheadBySse42(Streams&, std::size_t) {}
}  // namespace kvbm::streams

#endif
