#ifndef KVBM_HASH_CRC32C_SHIFT_H_
#define KVBM_HASH_CRC32C_SHIFT_H_

#include <cstddef>
#include <cstdint>

namespace kvbm::crc32c {

/// Reflected polynomial of CRC32C: bit 31 is x⁰.
inline constexpr std::uint32_t kPolynomial = 0x82f63b78;

/// Product of two polynomials modulo the CRC's.
constexpr std::uint32_t Multiply(std::uint32_t a, std::uint32_t b) {
  std::uint32_t product = 0;
  for (int bit = 0; bit < 32; bit++) {
    if ((a & 0x80000000U) != 0) product ^= b;
    a <<= 1;
    b = (b >> 1) ^ ((b & 1) != 0 ? kPolynomial : 0);
  }
  return product;
}

/// x to the power of 8 × `bytes`: multiplying a checksum by it appends as many zero bytes.
constexpr std::uint32_t PowerOfBytes(std::size_t bytes) {
  std::uint32_t power = 0x80000000U;   // x⁰
  std::uint32_t square = 0x00800000U;  // x⁸
  for (; bytes != 0; bytes >>= 1) {
    if ((bytes & 1) != 0) power = Multiply(power, square);
    square = Multiply(square, square);
  }
  return power;
}

/// Row k, column b: the byte b at place k of a checksum after `Bytes` zero bytes.
struct ShiftTable {
  std::uint32_t rows[4][256];
};

template <std::size_t Bytes>
constexpr ShiftTable MakeShiftTable() {
  constexpr std::uint32_t power = PowerOfBytes(Bytes);
  ShiftTable table = {};
  for (std::uint32_t place = 0; place < 4; place++) {
    for (std::uint32_t bit = 0; bit < 8; bit++) {
      const std::uint32_t effect = Multiply(power, 1U << (8 * place + bit));
      for (std::uint32_t byte = 0; byte < 256; byte++) {
        if ((byte >> bit & 1) != 0) table.rows[place][byte] ^= effect;
      }
    }
  }
  return table;
}

}  // namespace kvbm::crc32c

#endif  // KVBM_HASH_CRC32C_SHIFT_H_
