// Compiled with AVX2 switched on; see streams.h.
#include "copy/streams.h"

#if defined(__AVX2__)
#include <immintrin.h>

namespace kvbm::streams {
namespace {

template <bool Ahead>
void Copy(const Streams streams, std::size_t lines) {
  const std::size_t bytes = lines * kLineBytes;
  for (std::size_t at = 0; at < bytes; at += kLineBytes) {
    for (std::size_t k = 0; k < kStreams; k++) {
      const auto* const source = reinterpret_cast<const __m256i*>(streams.source[k] + at);
      auto* const target = reinterpret_cast<__m256i*>(streams.target[k] + at);
      if constexpr (Ahead) {
        _mm_prefetch(reinterpret_cast<const char*>(streams.ahead[k] + at), _MM_HINT_T1);
      }
      const __m256i low = _mm256_loadu_si256(source);
      const __m256i high = _mm256_loadu_si256(source + 1);
      _mm256_stream_si256(target, low);
      _mm256_stream_si256(target + 1, high);
    }
  }
}

}  // namespace

void CopyByAvx2(Streams& streams, std::size_t lines) { Copy<false>(streams, lines); }
void CopyAheadByAvx2(Streams& streams, std::size_t lines) { Copy<true>(streams, lines); }

}  // namespace kvbm::streams

#else

// Not for this kind of CPU or by this compiler: never called.
namespace kvbm::streams {
void CopyByAvx2(Streams&, std::size_t) {}
void CopyAheadByAvx2(Streams&, std::size_t) {}
}  // namespace kvbm::streams

#endif
