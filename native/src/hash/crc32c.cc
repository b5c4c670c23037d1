#include "kvbm/crc32c.h"

#include <cstring>

#include "hash/crc32c_instructions.h"
#include "hash/crc32c_shift.h"
#include "platform/platform.h"

namespace kvbm {
namespace crc32c {
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

}  // namespace crc32c

namespace {

bool ByInstructions() {
  static const bool has = platform::HasCrc32cInstructions();
  return has;
}

}  // namespace

std::uint32_t Crc32cByTable(std::span<const std::byte> bytes, std::uint32_t seed) {
  std::uint32_t crc = ~seed;
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8) {
    crc = crc32c::Look(crc32c::kAfter8, crc ^ crc32c::Word(at)) ^
          crc32c::Look(crc32c::kAfter4, crc32c::Word(at + 4));
  }
  for (; left > 0; left--, at++) {
    const auto byte = static_cast<std::uint32_t>(*at);
    // A byte alone is the last one of four: its effect after one zero byte less than a word.
    crc = (crc >> 8) ^ crc32c::kAfter4.rows[3][(crc ^ byte) & 0xff];
  }
  return ~crc;
}

std::uint32_t Crc32c(std::span<const std::byte> bytes, std::uint32_t seed) {
  if (!ByInstructions()) return Crc32cByTable(bytes, seed);
  return ~crc32c::UpdateByInstructions(~seed, bytes.data(), bytes.size());
}

const char* Crc32cKind() {
  if (!ByInstructions()) return "table";
#if defined(__x86_64__) || defined(_M_X64)
  return "sse4.2";
#else
  return "armv8";
#endif
}

}  // namespace kvbm
