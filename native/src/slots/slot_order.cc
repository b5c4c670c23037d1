#include "slots/slot_order.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "memory/huge_array.h"

namespace kvbm {
namespace {

constexpr int kDigitBits = 11;
constexpr std::size_t kDigits = std::size_t{1} << kDigitBits;

/// The rank above the lowest in the upper half, the slot in the lower.
using Key = std::uint64_t;

struct Range {
  std::uint64_t lowest = ~std::uint64_t{0};
  std::uint64_t highest = 0;
  std::size_t count = 0;
};

Range RangeOf(std::span<const std::uint64_t> ranks) {
  Range range;
  for (const std::uint64_t rank : ranks) {
    if (rank == kNoRank) continue;
    range.lowest = std::min(range.lowest, rank);
    range.highest = std::max(range.highest, rank);
    range.count++;
  }
  return range;
}

void CollectKeys(std::span<const std::uint64_t> ranks, std::uint64_t lowest,
                 std::span<Key> keys) {
  std::size_t at = 0;
  for (std::size_t slot = 0; slot < ranks.size(); slot++) {
    if (ranks[slot] != kNoRank) keys[at++] = (ranks[slot] - lowest) << 32 | slot;
  }
}

/// One stable pass by a digit of the upper half.
void SortByDigit(std::span<const Key> from, std::span<Key> to, int shift) {
  const auto digit = [shift](Key key) { return key >> shift & (kDigits - 1); };
  std::array<std::size_t, kDigits> places = {};
  for (const Key key : from) places[digit(key)]++;
  std::size_t sum = 0;
  for (std::size_t& place : places) sum += std::exchange(place, sum);
  for (const Key key : from) to[places[digit(key)]++] = key;
}

/// Sorted keys, in one of the two.
std::span<Key> Sort(std::span<Key> keys, std::span<Key> scratch, int bits) {
  if (std::ranges::is_sorted(keys)) return keys;
  for (int done = 0; done < bits; done += kDigitBits) {
    SortByDigit(keys, scratch, 32 + done);
    std::swap(keys, scratch);
  }
  return keys;
}

/// Where ranks lie so far apart that a key cannot hold both.
void SortByComparing(std::span<const std::uint64_t> ranks, std::span<std::uint32_t> slots) {
  std::size_t at = 0;
  for (std::size_t slot = 0; slot < ranks.size(); slot++) {
    if (ranks[slot] != kNoRank) slots[at++] = static_cast<std::uint32_t>(slot);
  }
  std::ranges::stable_sort(slots, {}, [&](std::uint32_t slot) { return ranks[slot]; });
}

}  // namespace

Result<std::size_t> OrderSlots(std::span<const std::uint64_t> ranks,
                               std::span<std::uint32_t> slots) {
  const Range range = RangeOf(ranks);
  if (range.count == 0) return range.count;
  const std::uint64_t widest = range.highest - range.lowest;
  if (widest >> 32 != 0) {
    SortByComparing(ranks, slots.first(range.count));
    return range.count;
  }
  KVBM_ASSIGN_OR_RETURN(const auto keys, HugeArray<Key>::Of(range.count));
  KVBM_ASSIGN_OR_RETURN(const auto scratch, HugeArray<Key>::Of(range.count));
  CollectKeys(ranks, range.lowest, keys.span());
  const auto sorted = Sort(keys.span(), scratch.span(), static_cast<int>(std::bit_width(widest)));
  const auto slot_of = [](Key key) { return static_cast<std::uint32_t>(key); };
  std::ranges::transform(sorted, slots.begin(), slot_of);
  return range.count;
}

}  // namespace kvbm
