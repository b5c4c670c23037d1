#include "copy/kernels.h"

#include <vector>

#include "cpu_features.h"
#include "hash/crc32c_instructions.h"
#include "hash/crc32c_shift.h"
#include "hash/crc32c_table.h"

namespace kvbm {
namespace {

#if defined(__x86_64__) || defined(_M_X64)

constexpr Kernels kVpclmulqdq = {.kind = "vpclmulqdq",
                                 .copy = streams::CopyByAvx2,
                                 .copy_ahead = streams::CopyAheadByAvx2,
                                 .sum = streams::SumByVpclmulqdq,
                                 .copy_sum = streams::CopySumByVpclmulqdq,
                                 .copy_sum_ahead = streams::CopySumAheadByVpclmulqdq,
                                 .update = crc32c::UpdateByInstructions,
                                 .multiply = streams::MultiplyByPclmulqdq};
constexpr Kernels kPclmulqdq = {.kind = "pclmulqdq",
                                .copy = streams::CopyByAvx2,
                                .copy_ahead = streams::CopyAheadByAvx2,
                                .sum = streams::SumByPclmulqdq,
                                .copy_sum = streams::CopySumByPclmulqdq,
                                .copy_sum_ahead = streams::CopySumAheadByPclmulqdq,
                                .update = crc32c::UpdateByInstructions,
                                .multiply = streams::MultiplyByPclmulqdq};
constexpr Kernels kSse42 = {.kind = "sse4.2",
                            .copy = streams::CopyByAvx2,
                            .copy_ahead = streams::CopyAheadByAvx2,
                            .sum = streams::SumBySse42,
                            .copy_sum = streams::CopySumBySse42,
                            .copy_sum_ahead = streams::CopySumAheadBySse42,
                            .update = crc32c::UpdateByInstructions,
                            .multiply = crc32c::Multiply};
#else

constexpr Kernels kArmv8 = {.kind = "armv8",
                            .update = crc32c::UpdateByInstructions,
                            .multiply = crc32c::Multiply};
#endif

constexpr Kernels kTable = {.kind = "table",
                            .update = crc32c::UpdateByTable,
                            .multiply = crc32c::Multiply};

#if defined(__x86_64__) || defined(_M_X64)

std::vector<Kernels> KernelsFor(const CpuFeatures& cpu) {
  std::vector<Kernels> kernels;
  if (cpu.vpclmulqdq) kernels.push_back(kVpclmulqdq);
  if (cpu.pclmulqdq) kernels.push_back(kPclmulqdq);
  if (cpu.crc32c) kernels.push_back(kSse42);
  for (Kernels& kind : kernels) {
    if (!cpu.avx2) kind.copy = kind.copy_ahead = nullptr;
  }
  kernels.push_back(kTable);
  return kernels;
}

#else

std::vector<Kernels> KernelsFor(const CpuFeatures& cpu) {
  std::vector<Kernels> kernels;
  if (cpu.crc32c) kernels.push_back(kArmv8);
  kernels.push_back(kTable);
  return kernels;
}

#endif

}  // namespace

std::span<const Kernels> SupportedKernels() {
  // Never destroyed: at the end of a process threads of engines may still copy.
  static const auto* const kernels = new std::vector<Kernels>(KernelsFor(CpuFeaturesHere()));
  return *kernels;
}

}  // namespace kvbm
