#include "kvbm/crc32c.h"

#include <string_view>

#include "hash/crc32c_shift.h"
#include "tests/world.h"

namespace kvbm {
namespace {

using testing::Pattern;

std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// One bit at a time, as the definition has it.
std::uint32_t Naive(std::span<const std::byte> bytes) {
  std::uint32_t crc = ~0U;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ ((crc & 1) != 0 ? crc32c::kPolynomial : 0);
  }
  return ~crc;
}

TEST(Crc32c, GivesTheCheckValueOfItsDefinition) {
  EXPECT_EQ(Crc32c(BytesOf("123456789")), 0xe3069283U);
  EXPECT_EQ(Crc32cByTable(BytesOf("123456789")), 0xe3069283U);
}

TEST(Crc32c, GivesThe32ByteVectorsOfTheIscsiStandard) {
  const std::vector<std::byte> zeros(32);
  const std::vector<std::byte> ones(32, std::byte{0xff});
  EXPECT_EQ(Crc32c(zeros), 0x8a9136aaU);
  EXPECT_EQ(Crc32c(ones), 0x62a8ab43U);
}

TEST(Crc32c, OfNothingIsTheSeed) {
  EXPECT_EQ(Crc32c({}), 0U);
  EXPECT_EQ(Crc32c({}, 17), 17U);
}

TEST(Crc32c, IsTheSameByInstructionsByTableAndBitByBitForEveryLengthAndStart) {
  const auto bytes = Pattern(2600);
  for (std::size_t size = 0; size < bytes.size() - 8; size += size < 70 ? 1 : 61) {
    for (std::size_t start = 0; start < 8; start += 3) {
      const auto part = std::span(bytes).subspan(start, size);
      ASSERT_EQ(Crc32cByTable(part), Naive(part)) << size << " bytes from " << start;
      ASSERT_EQ(Crc32c(part), Naive(part)) << size << " bytes from " << start;
    }
  }
}

TEST(Crc32c, IsTheSameByInstructionsAndByTableWhereStreamsAreJoined) {
  const auto bytes = Pattern(40000);
  for (std::size_t size = 12280; size < bytes.size(); size += 509) {
    const auto part = std::span(bytes).first(size);
    ASSERT_EQ(Crc32c(part, 5), Crc32cByTable(part, 5)) << size << " bytes";
  }
}

TEST(Crc32c, ContinuesFromASeed) {
  const auto bytes = Pattern(30000);
  const std::uint32_t whole = Crc32c(bytes);
  for (const std::size_t cut : {0, 1, 7, 4096, 12288, 29999, 30000}) {
    const auto [head, rest] = std::pair(std::span(bytes).first(cut), std::span(bytes).subspan(cut));
    EXPECT_EQ(Crc32c(rest, Crc32c(head)), whole) << "cut at " << cut;
  }
}

}  // namespace
}  // namespace kvbm
