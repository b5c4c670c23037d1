#ifndef KVBM_CRC32C_H_
#define KVBM_CRC32C_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace kvbm {

/// CRC32C (Castagnoli) of the bytes, continuing from `seed` (0 to begin).
std::uint32_t Crc32c(std::span<const std::byte> bytes, std::uint32_t seed = 0);

/// How it is computed here: `vpclmulqdq`, `pclmulqdq`, `sse4.2`, `armv8`, `table`.
const char* Crc32cKind();

/// The way that needs no special instructions; oracle of the others.
std::uint32_t Crc32cByTable(std::span<const std::byte> bytes, std::uint32_t seed = 0);

}  // namespace kvbm

#endif  // KVBM_CRC32C_H_
