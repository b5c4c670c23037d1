#ifndef KVBM_HASH_CRC32C_TABLE_H_
#define KVBM_HASH_CRC32C_TABLE_H_

#include <cstddef>
#include <cstdint>

namespace kvbm::crc32c {

/// The way that needs no special instructions. `crc` is the inverted checksum.
std::uint32_t UpdateByTable(std::uint32_t crc, const void* bytes, std::size_t size);

}  // namespace kvbm::crc32c

#endif  // KVBM_HASH_CRC32C_TABLE_H_
