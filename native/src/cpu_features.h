#ifndef KVBM_CPU_FEATURES_H_
#define KVBM_CPU_FEATURES_H_

namespace kvbm {

/// Instructions beyond the baseline that this CPU has and its system lets us use.
struct CpuFeatures {
  /// The CRC32C instructions, of x86 or ARM.
  bool crc32c = false;
  bool pclmulqdq = false;
  bool avx2 = false;
  /// VPCLMULQDQ on 512 bits, with AVX-512 F, VL, BW and DQ.
  bool vpclmulqdq = false;
};

/// Asked once.
const CpuFeatures& CpuFeaturesHere();

}  // namespace kvbm

#endif  // KVBM_CPU_FEATURES_H_
