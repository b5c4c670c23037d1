#ifndef KVBM_HASH_CRC32C_INSTRUCTIONS_H_
#define KVBM_HASH_CRC32C_INSTRUCTIONS_H_

#include <cstddef>
#include <cstdint>

namespace kvbm::crc32c {

/// By the CPU's instructions; call only where the CPU has them. `crc` is the inverted checksum.
/// Takes and gives plain pointers: its file is compiled for a newer CPU than the others, so it
/// must not share inline functions with them.
std::uint32_t UpdateByInstructions(std::uint32_t crc, const void* bytes, std::size_t size);

/// Tables that append zero bytes, for joining streams.
using ShiftRow = std::uint32_t[256];
extern const ShiftRow* const kShiftLong;
extern const ShiftRow* const kShiftShort;

/// Bytes of each of the three streams that are summed side by side.
inline constexpr std::size_t kLongStreamBytes = 4096;
inline constexpr std::size_t kShortStreamBytes = 256;

}  // namespace kvbm::crc32c

#endif  // KVBM_HASH_CRC32C_INSTRUCTIONS_H_
