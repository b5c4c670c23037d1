#ifndef KVBM_WINDOWS_H_
#define KVBM_WINDOWS_H_

#include <cstddef>
#include <cstdint>

namespace kvbm {

/// Windows of a region start at multiples of this and are twice as long, the last ones shorter.
inline constexpr std::uint64_t kWindowStrideBytes = std::uint64_t{1} << 30;
inline constexpr std::uint64_t kWindowBytesMax = 2 * kWindowStrideBytes;

/// Node.js allows no longer ArrayBuffer; one byte more makes the process abort.
inline constexpr std::uint64_t kNodeBufferMax = std::uint64_t{1} << 32;
static_assert(kWindowBytesMax <= kNodeBufferMax);

}  // namespace kvbm

#endif  // KVBM_WINDOWS_H_
