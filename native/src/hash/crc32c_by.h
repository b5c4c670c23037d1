#ifndef KVBM_HASH_CRC32C_BY_H_
#define KVBM_HASH_CRC32C_BY_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "copy/kernels.h"

namespace kvbm::crc32c {

/// `Crc32c` by kernels of choice, which the CPU must support.
std::uint32_t By(const Kernels& kernels, std::span<const std::byte> bytes, std::uint32_t seed = 0);

}  // namespace kvbm::crc32c

#endif  // KVBM_HASH_CRC32C_BY_H_
