#ifndef KVBM_HASH_CRC32C_JOIN_H_
#define KVBM_HASH_CRC32C_JOIN_H_

#include <cstddef>
#include <cstdint>

#include "copy/kernels.h"

namespace kvbm::crc32c {

/// Joins checksums of neighbours. Remembers the last length: neighbours are often equally long.
class Joiner {
 public:
  explicit Joiner(const Kernels& kernels) : kernels_(kernels) {}

  /// Checksum of some bytes and the `second_bytes` behind them, from the checksums of both.
  std::uint32_t Join(std::uint32_t first, std::uint32_t second, std::size_t second_bytes);

 private:
  const Kernels& kernels_;
  std::size_t bytes_ = 0;
  /// x to the power of 8 × `bytes_`.
  std::uint32_t power_ = 0x80000000U;
};

}  // namespace kvbm::crc32c

#endif  // KVBM_HASH_CRC32C_JOIN_H_
