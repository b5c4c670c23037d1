#ifndef KVBM_COPY_KERNELS_H_
#define KVBM_COPY_KERNELS_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "copy/streams.h"

namespace kvbm {

/// How bytes are copied and summed by one kind of CPU. Where a kernel of streams is null, the
/// portable way is taken.
struct Kernels {
  /// As `Crc32cKind` says it.
  const char* kind = "table";

  streams::Kernel copy = nullptr;
  /// Fetches what comes next as well: for short runs, where the CPU cannot foresee it.
  streams::Kernel copy_ahead = nullptr;

  /// All three or none.
  streams::Kernel sum = nullptr;
  streams::Kernel copy_sum = nullptr;
  streams::Kernel copy_sum_ahead = nullptr;

  /// Inverted CRC32C over bytes of any length.
  std::uint32_t (*update)(std::uint32_t crc, const void* bytes, std::size_t size) = nullptr;
  /// Product of two polynomials modulo CRC32C's.
  std::uint32_t (*multiply)(std::uint32_t a, std::uint32_t b) = nullptr;
};

/// What this CPU can run, best first; the portable way last.
std::span<const Kernels> SupportedKernels();

/// The best of them. The CPU's features decide: on CPUs that have the instructions, four streams
/// of non-temporal stores were never slower than the C library, so nothing is measured at start.
inline const Kernels& BestKernels() { return SupportedKernels().front(); }

}  // namespace kvbm

#endif  // KVBM_COPY_KERNELS_H_
