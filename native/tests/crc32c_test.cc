#include "kvbm/crc32c.h"

#include <cstring>
#include <string_view>

#include "copy/four_streams.h"
#include "hash/crc32c_by.h"
#include "hash/crc32c_join.h"
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

TEST(Crc32c, IsTheSameByTableAndBitByBitForEveryLengthAndStart) {
  const auto bytes = Pattern(400);
  for (std::size_t size = 0; size < bytes.size() - 8; size++) {
    for (std::size_t start = 0; start < 8; start++) {
      const auto part = std::span(bytes).subspan(start, size);
      ASSERT_EQ(Crc32cByTable(part), Naive(part)) << size << " bytes from " << start;
    }
  }
}

TEST(Crc32c, IsTheSameByEveryKindOfCpuForEveryLengthStartAndSeed) {
  const auto bytes = Pattern(3 * kFourStreamsBytesMin);
  for (const Kernels& kernels : SupportedKernels()) {
    for (std::size_t size = 0; size < bytes.size() - 64; size += size < 300 ? 1 : 37) {
      for (const std::size_t start : {0, 1, 31, 63}) {
        const auto part = std::span(bytes).subspan(start, size);
        for (const std::uint32_t seed : {0U, 1U, 0xffffffffU, 0x12345678U}) {
          ASSERT_EQ(crc32c::By(kernels, part, seed), Crc32cByTable(part, seed))
              << kernels.kind << ", " << size << " bytes from " << start << ", seed " << seed;
        }
      }
    }
  }
}

TEST(Crc32c, IsTheSameByEveryKindOfCpuForLongRanges) {
  const auto bytes = Pattern(3'000'000);
  for (const Kernels& kernels : SupportedKernels()) {
    for (const std::size_t size : {12'287, 12'288, 65'536, 100'003, 1 << 20, 2'999'999}) {
      const auto part = std::span(bytes).last(size);
      ASSERT_EQ(crc32c::By(kernels, part, 5), Crc32cByTable(part, 5))
          << kernels.kind << ", " << size << " bytes";
    }
  }
}

TEST(Crc32c, OfTwoNeighboursIsJoinedFromTheirsByEveryKindOfCpu) {
  const auto bytes = Pattern(100'000);
  const std::uint32_t whole = Crc32cByTable(bytes);
  for (const Kernels& kernels : SupportedKernels()) {
    crc32c::Joiner joiner(kernels);
    for (const std::size_t cut : {0, 1, 4096, 4097, 65'536, 99'999, 100'000, 4096}) {
      const auto head = std::span(bytes).first(cut);
      const auto rest = std::span(bytes).subspan(cut);
      EXPECT_EQ(joiner.Join(Crc32cByTable(head), Crc32cByTable(rest), rest.size()), whole)
          << kernels.kind << ", cut at " << cut;
    }
  }
}

TEST(Crc32c, IsMultipliedTheSameByEveryKindOfCpu) {
  const auto numbers = Pattern(8 * 200);
  for (const Kernels& kernels : SupportedKernels()) {
    for (std::size_t at = 0; at < numbers.size(); at += 8) {
      std::uint32_t factors[2];
      std::memcpy(factors, numbers.data() + at, sizeof(factors));
      ASSERT_EQ(kernels.multiply(factors[0], factors[1]), crc32c::Multiply(factors[0], factors[1]))
          << kernels.kind << ": " << factors[0] << " times " << factors[1];
    }
  }
}

TEST(Crc32c, SaysTheBestKindThatIsSupportedHereAndTheTableIsAlwaysThere) {
  EXPECT_STREQ(Crc32cKind(), SupportedKernels().front().kind);
  EXPECT_STREQ(SupportedKernels().back().kind, "table");
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
