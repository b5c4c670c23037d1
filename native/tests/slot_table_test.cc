#include "kvbm/slot_table.h"

#include <algorithm>

#include "kvbm/crc32c.h"
#include "tests/world.h"

namespace kvbm {
namespace {

using testing::NewFile;
using testing::TemporaryFolder;

SlotColumns Rows(std::vector<std::uint32_t> slots, double first_generation = 1) {
  SlotColumns rows;
  for (std::size_t i = 0; i < slots.size(); i++) {
    const auto row = static_cast<std::uint32_t>(i);
    rows.generations.push_back(first_generation + static_cast<double>(i));
    for (std::uint32_t word = 0; word < 4; word++) {
      rows.hashes.push_back(1000 * row + word);
      rows.parents.push_back(2000 * row + word);
    }
    rows.positions.push_back(row);
    rows.lengths.push_back(4096 + row);
    rows.checksums.push_back(77 + row);
  }
  rows.slots = std::move(slots);
  return rows;
}

void Write(const File& file, std::uint64_t offset, const SlotColumns& rows) {
  const auto records = EncodeSlotRecords(rows);
  ASSERT_TRUE(records.ok());
  ASSERT_TRUE(WriteSlotRecords(file, offset, rows.slots, records.value()).ok());
}

TEST(SlotTable, ARecordHasTheBytesOfTheFormat) {
  SlotColumns rows = Rows({0}, 0x0102030405);
  rows.hashes = {0x11111111, 2, 3, 4};
  rows.parents = {5, 6, 7, 8};
  rows.positions = {9};
  rows.lengths = {10};
  rows.checksums = {11};
  const auto bytes = EncodeSlotRecords(rows).value();
  const auto word = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 4; i-- > 0;) {
      value = value << 8 | std::to_integer<std::uint32_t>(bytes[at + i]);
    }
    return value;
  };
  ASSERT_EQ(bytes.size(), kSlotRecordBytes);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), 4), "KVS1");
  const std::vector<std::pair<std::size_t, std::uint32_t>> fields = {
      {4, 10},
      {8, 0x02030405},
      {12, 1},
      {16, 0x11111111},
      {28, 4},
      {32, 5},
      {44, 8},
      {48, 9},
      {52, 11},
      {56, 0},
      {60, Crc32c(std::span(bytes).first(60))}};
  for (const auto& [at, expected] : fields) EXPECT_EQ(word(at), expected) << "at " << at;
}

TEST(SlotTable, GivesBackItsRowsByGeneration) {
  const TemporaryFolder folder;
  const auto file = NewFile(folder / "table");
  Write(*file, 4096, Rows({5, 6, 2, 9}, 10));
  Write(*file, 4096, Rows({0}, 3));
  const SlotColumns read = ReadSlotRecords(*file, 4096, 100).value();
  EXPECT_EQ(read.slots, (std::vector<std::uint32_t>{0, 5, 6, 2, 9}));
  EXPECT_EQ(read.generations, (std::vector<double>{3, 10, 11, 12, 13}));
  EXPECT_EQ(read.lengths, (std::vector<std::uint32_t>{4096, 4096, 4097, 4098, 4099}));
  EXPECT_EQ(read.hashes[4 * 2], 1000U);
  EXPECT_EQ(read.parents[4 * 3 + 1], 4001U);
  EXPECT_EQ(read.damaged, 0U);
}

TEST(SlotTable, ForgetsClearedSlots) {
  const TemporaryFolder folder;
  const auto file = NewFile(folder / "table");
  Write(*file, 0, Rows({0, 1, 2}));
  const std::vector<std::uint32_t> slots = {1};
  ASSERT_TRUE(WriteSlotRecords(*file, 0, slots, std::vector<std::byte>(kSlotRecordBytes)).ok());
  EXPECT_EQ(ReadSlotRecords(*file, 0, 3).value().slots, (std::vector<std::uint32_t>{0, 2}));
}

TEST(SlotTable, CountsARecordWithAnyFlippedBitAsDamaged) {
  const TemporaryFolder folder;
  const auto file = NewFile(folder / "table");
  const SlotColumns rows = Rows({0});
  for (std::size_t byte = 0; byte < kSlotRecordBytes; byte++) {
    auto records = EncodeSlotRecords(rows).value();
    records[byte] ^= std::byte{0x10};
    ASSERT_TRUE(WriteSlotRecords(*file, 0, rows.slots, records).ok());
    const SlotColumns read = ReadSlotRecords(*file, 0, 1).value();
    EXPECT_EQ(read.damaged, 1U) << "byte " << byte;
    EXPECT_TRUE(read.slots.empty()) << "byte " << byte;
  }
}

TEST(SlotTable, ThatEndsEarlyOrInTheMiddleOfARecordHasNoMore) {
  const TemporaryFolder folder;
  const auto file = NewFile(folder / "table");
  Write(*file, 0, Rows({0, 1}));
  std::filesystem::resize_file(folder / "table", 100);
  const SlotColumns read = ReadSlotRecords(*file, 0, 1000).value();
  EXPECT_EQ(read.slots, (std::vector<std::uint32_t>{0}));
  EXPECT_EQ(read.damaged, 0U);
}

TEST(SlotTable, LongerThanOneReadIsReadWhole) {
  const TemporaryFolder folder;
  const auto file = NewFile(folder / "table");
  std::vector<std::uint32_t> slots;
  for (std::uint32_t slot = 0; slot < 70000; slot += 7) slots.push_back(slot);
  Write(*file, 64, Rows(slots));
  EXPECT_EQ(ReadSlotRecords(*file, 64, 70000).value().slots, slots);
}

TEST(SlotTable, RefusesColumnsThatAreNotParallelAndBrokenGenerations) {
  SlotColumns rows = Rows({0, 1});
  rows.parents.pop_back();
  EXPECT_EQ(EncodeSlotRecords(rows).status().code(), StatusCode::kInvalidArgument);
  rows = Rows({0, 1});
  rows.generations[1] = 0.5;
  EXPECT_EQ(EncodeSlotRecords(rows).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace kvbm
