#include "hash/crc32c_table.h"

#include <cstring>

#include "hash/crc32c_instructions.h"
#include "hash/crc32c_shift.h"

namespace kvbm::crc32c {
namespace {

constexpr ShiftTable kLong = MakeShiftTable<kLongStreamBytes>();
constexpr ShiftTable kShort = MakeShiftTable<kShortStreamBytes>();

/// Eight bytes in one step: the first four through one table, the last four through another.
constexpr ShiftTable kAfter4 = MakeShiftTable<4>();
constexpr ShiftTable kAfter8 = MakeShiftTable<8>();

std::uint32_t Look(const ShiftTable& table, std::uint32_t word) {
  return table.rows[0][word & 0xff] ^ table.rows[1][word >> 8 & 0xff] ^
         table.rows[2][word >> 16 & 0xff] ^ table.rows[3][word >> 24];
}

std::uint32_t Word(const std::byte* at) {
  std::uint32_t word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

}  // namespace

const ShiftRow* const kShiftLong = kLong.rows;
const ShiftRow* const kShiftShort = kShort.rows;

std::uint32_t UpdateByTable(std::uint32_t crc, const void* bytes, std::size_t size) {
  const auto* at = static_cast<const std::byte*>(bytes);
  for (; size >= 8; size -= 8, at += 8) {
    crc = Look(kAfter8, crc ^ Word(at)) ^ Look(kAfter4, Word(at + 4));
  }
  for (; size > 0; size--, at++) {
    const auto byte = static_cast<std::uint32_t>(*at);
    // A byte alone is the last one of four: its effect after one zero byte less than a word.
    crc = (crc >> 8) ^ kAfter4.rows[3][(crc ^ byte) & 0xff];
  }
  return crc;
}

}  // namespace kvbm::crc32c
