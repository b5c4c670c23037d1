#include "cpu_features.h"

#include "platform/platform.h"

#if defined(_MSC_VER) && defined(_M_X64)
#include <immintrin.h>
#include <intrin.h>
#endif

namespace kvbm {
namespace {

#if defined(_MSC_VER) && defined(_M_X64)

bool Bit(int word, int bit) { return (word >> bit & 1) != 0; }

void AskX86(CpuFeatures& features) {
  constexpr unsigned long long kAvxState = 0x06;
  constexpr unsigned long long kAvx512State = 0xe6;
  int first[4] = {};
  int seventh[4] = {};
  __cpuidex(first, 1, 0);
  __cpuidex(seventh, 7, 0);
  const unsigned long long state = Bit(first[2], 27) ? _xgetbv(0) : 0;
  features.pclmulqdq = Bit(first[2], 1) && features.crc32c;
  features.avx2 = Bit(seventh[1], 5) && (state & kAvxState) == kAvxState;
  features.vpclmulqdq = features.pclmulqdq && Bit(seventh[1], 16) && Bit(seventh[1], 17) &&
                        Bit(seventh[1], 30) && Bit(seventh[1], 31) && Bit(seventh[2], 10) &&
                        (state & kAvx512State) == kAvx512State;
}

#elif defined(__x86_64__)

void AskX86(CpuFeatures& features) {
  features.pclmulqdq = features.crc32c && __builtin_cpu_supports("pclmul") != 0;
  features.avx2 = __builtin_cpu_supports("avx2") != 0;
  features.vpclmulqdq =
      features.pclmulqdq && __builtin_cpu_supports("avx512f") != 0 &&
      __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
      __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("vpclmulqdq") != 0;
}

#else

void AskX86(CpuFeatures&) {}

#endif

}  // namespace

const CpuFeatures& CpuFeaturesHere() {
  static const CpuFeatures features = [] {
    CpuFeatures found;
    found.crc32c = platform::HasCrc32cInstructions();
    AskX86(found);
    return found;
  }();
  return features;
}

}  // namespace kvbm
