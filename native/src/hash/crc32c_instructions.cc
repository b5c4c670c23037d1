// Compiled with the CPU's CRC32C instructions switched on; see crc32c_instructions.h.
#include "hash/crc32c_instructions.h"

#include <string.h>

#if defined(__SSE4_2__) || defined(_M_X64)
#define KVBM_CRC32C_SSE42
#include <nmmintrin.h>
#elif defined(__ARM_FEATURE_CRC32)
#define KVBM_CRC32C_ARMV8
#include <arm_acle.h>
#elif defined(_MSC_VER) && defined(_M_ARM64)
#define KVBM_CRC32C_ARMV8
#include <intrin.h>
#endif

namespace kvbm::crc32c {

#if defined(KVBM_CRC32C_SSE42) || defined(KVBM_CRC32C_ARMV8)
namespace {

inline std::uint32_t Step8(std::uint32_t crc, const unsigned char* at) {
  std::uint64_t word;
  memcpy(&word, at, sizeof(word));
#if defined(KVBM_CRC32C_SSE42)
  return static_cast<std::uint32_t>(_mm_crc32_u64(crc, word));
#else
  return __crc32cd(crc, word);
#endif
}

inline std::uint32_t Step1(std::uint32_t crc, const unsigned char* at) {
#if defined(KVBM_CRC32C_SSE42)
  return _mm_crc32_u8(crc, *at);
#else
  return __crc32cb(crc, *at);
#endif
}

inline std::uint32_t Shift(const ShiftRow* table, std::uint32_t crc) {
  return table[0][crc & 0xff] ^ table[1][crc >> 8 & 0xff] ^ table[2][crc >> 16 & 0xff] ^
         table[3][crc >> 24];
}

/// One instruction takes three cycles but a new one starts every cycle: three streams fill them.
template <std::size_t Stream>
std::uint32_t ThreeStreams(std::uint32_t crc, const unsigned char* at, const ShiftRow* shift) {
  std::uint32_t second = 0;
  std::uint32_t third = 0;
  for (std::size_t i = 0; i < Stream; i += 8) {
    crc = Step8(crc, at + i);
    second = Step8(second, at + Stream + i);
    third = Step8(third, at + 2 * Stream + i);
  }
  return Shift(shift, Shift(shift, crc) ^ second) ^ third;
}

}  // namespace

std::uint32_t UpdateByInstructions(std::uint32_t crc, const void* bytes, std::size_t size) {
  const auto* at = static_cast<const unsigned char*>(bytes);
  for (; size >= 3 * kLongStreamBytes; size -= 3 * kLongStreamBytes, at += 3 * kLongStreamBytes) {
    crc = ThreeStreams<kLongStreamBytes>(crc, at, kShiftLong);
  }
  for (; size >= 3 * kShortStreamBytes;
       size -= 3 * kShortStreamBytes, at += 3 * kShortStreamBytes) {
    crc = ThreeStreams<kShortStreamBytes>(crc, at, kShiftShort);
  }
  for (; size >= 8; size -= 8, at += 8) crc = Step8(crc, at);
  for (; size > 0; size--, at++) crc = Step1(crc, at);
  return crc;
}

#else

// No such instructions on this kind of CPU: never called.
std::uint32_t UpdateByInstructions(std::uint32_t crc, const void*, std::size_t) { return crc; }

#endif

}  // namespace kvbm::crc32c
