#include "kvbm/slot_recovery.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "kvbm/slot_table.h"
#include "slots/children_first.h"
#include "slots/slot_index.h"
#include "slots/slot_order.h"
#include "tests/world.h"

namespace kvbm {
namespace {

using testing::NewFile;
using testing::TemporaryFolder;

constexpr std::uint32_t kLength = 4096;

/// Rows whose hash is one number, four times.
SlotColumns Rows(const std::vector<std::uint32_t>& slots, const std::vector<double>& generations,
                 const std::vector<std::uint32_t>& names) {
  SlotColumns rows;
  rows.slots = slots;
  rows.generations = generations;
  for (const std::uint32_t name : names) {
    rows.hashes.insert(rows.hashes.end(), 4, name);
    rows.parents.insert(rows.parents.end(), 4, name + 1);
    rows.positions.push_back(name + 2);
    rows.lengths.push_back(kLength);
    rows.checksums.push_back(name + 3);
  }
  return rows;
}

void Write(const File& file, const SlotColumns& rows) {
  const auto records = EncodeSlotRecords(rows);
  ASSERT_TRUE(records.ok());
  ASSERT_TRUE(WriteSlotRecords(file, 0, rows.slots, records.value()).ok());
}

RecoverOptions All(std::uint32_t slots) {
  return {.slot_count = slots, .rows = slots, .stored = slots, .length = kLength};
}

std::vector<std::uint32_t> SlotsOf(const RecoveredSlots& found) {
  return {found.slots.begin(), found.slots.end()};
}

TEST(SlotRecovery, KeepsTheNewestOfEachHashAndTheOrderOfAge) {
  const TemporaryFolder folder;
  const auto file = NewFile(folder / "table");
  Write(*file, Rows({0, 1, 2, 3}, {5, 9, 7, 1}, {8, 8, 8, 6}));
  const auto found = RecoverSlots(*file, 0, All(8));
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(SlotsOf(found.value()), (std::vector<std::uint32_t>{3, 1}));
  EXPECT_EQ(found.value().count, 4U);
  EXPECT_EQ(found.value().last_generation, 9U);
  EXPECT_EQ(std::ranges::count_if(found.value().index, [](auto entry) { return entry != 0; }), 2);
}

TEST(SlotRecovery, IsTheSameWhicheverThreadReadsWhichPart) {
  const TemporaryFolder folder;
  const auto file = NewFile(folder / "table");
  constexpr std::uint32_t kSlots = 300000;
  std::vector<std::uint32_t> slots(kSlots);
  std::iota(slots.begin(), slots.end(), 0U);
  std::vector<double> generations(slots.begin(), slots.end());
  std::ranges::shuffle(generations, std::mt19937(3));
  std::vector<std::uint32_t> names(slots);
  for (std::uint32_t& name : names) name = name % 200000 * 2654435761U;
  Write(*file, Rows(slots, generations, names));
  const auto first = RecoverSlots(*file, 0, All(kSlots));
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first.value().slots.size(), 200000U);
  for (std::size_t i = 1; i < first.value().slots.size(); i++) {
    ASSERT_LT(generations[first.value().slots[i - 1]], generations[first.value().slots[i]]);
  }
  for (int round = 0; round < 3; round++) {
    const auto again = RecoverSlots(*file, 0, All(kSlots));
    ASSERT_TRUE(again.ok());
    EXPECT_TRUE(std::ranges::equal(first.value().index, again.value().index));
    EXPECT_EQ(SlotsOf(first.value()), SlotsOf(again.value()));
  }
}

TEST(SlotRecovery, HoldsNothingOfATableThatEndsBeforeIt) {
  const TemporaryFolder folder;
  const auto file = NewFile(folder / "table");
  const auto found = RecoverSlots(*file, 1 << 20, All(1000));
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found.value().count + found.value().damaged + found.value().slots.size(), 0U);
}

TEST(SlotIndex, TellsApartHashesOfOneHomeAndFindsTheOneThatIsThere) {
  std::vector<std::uint32_t> entries(SlotIndex::EntriesFor(4));
  const std::vector<HashWords> hashes = {{1, 0, 2, 3}, {1, 32, 2, 3}, {1, 0, 2, 4}, {1, 0, 2, 3}};
  SlotIndex index(entries, hashes);
  EXPECT_EQ(index.Insert(0), nullptr);
  EXPECT_EQ(index.Insert(1), nullptr);
  EXPECT_EQ(index.Insert(2), nullptr);
  std::uint32_t* const found = index.Insert(3);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(SlotIndex::SlotOf(*found), 0U);
}

/// A table of blocks by slot, each with the slot of its parent or none, all found by their hashes.
class Forest {
 public:
  static constexpr std::uint32_t kNone = ~0U;

  explicit Forest(const std::vector<std::uint32_t>& parents)
      : entries_(SlotIndex::EntriesFor(static_cast<std::uint32_t>(parents.size()))),
        hashes_(parents.size()),
        parents_(parents.size()),
        positions_(parents.size()),
        index_(entries_, hashes_) {
    for (std::uint32_t slot = 0; slot < parents.size(); slot++) {
      hashes_[slot] = {slot * 2654435761U, slot, 1, 2};
      index_.Insert(slot);
      std::uint32_t ancestor = parents[slot];
      if (ancestor != kNone) parents_[slot] = {ancestor * 2654435761U, ancestor, 1, 2};
      for (; ancestor != kNone; ancestor = parents[ancestor]) positions_[slot]++;
    }
  }

  Lineage lineage() const { return {hashes_, parents_, positions_, index_}; }

 private:
  std::vector<std::uint32_t> entries_;
  std::vector<HashWords> hashes_;
  std::vector<HashWords> parents_;
  std::vector<std::uint32_t> positions_;
  SlotIndex index_;
};

TEST(ChildrenFirst, GivesEverySlotOnceAndNoneBeforeAChildOfIt) {
  std::mt19937 random(5);
  for (int round = 0; round < 50; round++) {
    const auto count = static_cast<std::uint32_t>(1 + random() % 300);
    std::vector<std::uint32_t> ranking(count);
    std::iota(ranking.begin(), ranking.end(), 0U);
    if (round % 2 == 1) std::ranges::shuffle(ranking, random);
    std::vector<std::uint32_t> parents(count, Forest::kNone);
    for (std::uint32_t i = 1; i < count; i++) {
      const std::size_t above = random() % 4 == 0 ? random() % i : i - 1;
      if (random() % 16 != 0) parents[ranking[i]] = ranking[above];
    }
    std::vector<std::uint32_t> by_age(count);
    std::iota(by_age.begin(), by_age.end(), 0U);
    if (round % 4 == 2) std::ranges::reverse(by_age);
    if (round % 4 == 3) std::ranges::shuffle(by_age, random);
    const Forest forest(parents);
    std::vector<std::uint32_t> slots(count);
    PutChildrenFirst(by_age, forest.lineage(), slots);
    std::vector<bool> passed(count);
    for (const std::uint32_t slot : slots) {
      ASSERT_FALSE(passed[slot]) << "round " << round << ": slot " << slot << " twice";
      passed[slot] = true;
      ASSERT_TRUE(parents[slot] == Forest::kNone || !passed[parents[slot]])
          << "round " << round << ": the parent of " << slot << " stands before it";
    }
    std::vector<std::uint32_t> again(count);
    PutChildrenFirst(slots, forest.lineage(), again);
    EXPECT_EQ(again, slots) << "round " << round << ": an order that is right is changed";
  }
}

TEST(SlotOrder, IsThatOfAStableSortWhateverTheRange) {
  std::mt19937_64 random(7);
  for (const std::uint64_t range : {1ULL, 100ULL, 5000ULL, 1ULL << 30, 1ULL << 40, 1ULL << 52}) {
    std::vector<std::uint64_t> ranks(5000);
    for (std::uint64_t& rank : ranks) rank = random() % (range + 1);
    std::vector<std::uint32_t> expected;
    for (std::uint32_t slot = 0; slot < ranks.size(); slot++) {
      if (ranks[slot] != kNoRank) expected.push_back(slot);
    }
    std::ranges::stable_sort(expected, {}, [&](std::uint32_t slot) { return ranks[slot]; });
    std::vector<std::uint32_t> slots(ranks.size());
    const auto count = OrderSlots(ranks, slots);
    ASSERT_TRUE(count.ok());
    slots.resize(count.value());
    EXPECT_EQ(slots, expected) << "range " << range;
  }
}

}  // namespace
}  // namespace kvbm
