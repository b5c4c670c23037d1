#ifndef KVBM_HASH_CRC32C_FOLD_H_
#define KVBM_HASH_CRC32C_FOLD_H_

#include <cstdint>

#include "hash/crc32c_shift.h"

/// Constants for carry-less multiplication. All of it happens while compiling (consteval): nothing
/// here can become code, so that files for newer CPUs may use it.
namespace kvbm::crc32c {

/// x to the power of `bits` modulo CRC32C's polynomial; bit 31 is x⁰.
consteval std::uint32_t PowerOfBits(std::uint64_t bits) {
  std::uint32_t power = 0x80000000U;
  std::uint32_t square = 0x40000000U;
  for (; bits != 0; bits >>= 1) {
    if ((bits & 1) != 0) power = Multiply(power, square);
    square = Multiply(square, square);
  }
  return power;
}

/// 128 bits times x to the power of `bits`, as 128 bits again: their first half times FoldLow plus
/// their second half times FoldHigh. A carry-less product of reflected numbers comes out times x.
consteval std::uint64_t FoldLow(std::uint64_t bits) {
  return std::uint64_t{PowerOfBits(bits + 63)} << 32;
}
consteval std::uint64_t FoldHigh(std::uint64_t bits) {
  return std::uint64_t{PowerOfBits(bits - 1)} << 32;
}

}  // namespace kvbm::crc32c

#endif  // KVBM_HASH_CRC32C_FOLD_H_
