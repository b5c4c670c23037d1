#ifndef KVBM_COPY_COPY_RUNS_H_
#define KVBM_COPY_COPY_RUNS_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "copy/kernels.h"

namespace kvbm {

/// Bytes to be copied, as if through a buffer: source and target may overlap.
struct CopyRun {
  std::byte* target = nullptr;
  const std::byte* source = nullptr;
  std::size_t length = 0;
  /// Where given, gets the CRC32C of the bytes that were copied.
  std::uint32_t* sum = nullptr;
};

inline bool EndsOverlap(const CopyRun& run) {
  const auto source = reinterpret_cast<std::uintptr_t>(run.source);
  const auto target = reinterpret_cast<std::uintptr_t>(run.target);
  return (source < target ? target - source : source - target) < run.length;
}

/// Copies all runs, in any order. Other threads see the bytes once they know that this returned.
void CopyRuns(std::span<const CopyRun> runs, const Kernels& kernels = BestKernels());

}  // namespace kvbm

#endif  // KVBM_COPY_COPY_RUNS_H_
