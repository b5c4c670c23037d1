#include "slots/slot_order.h"

#include <algorithm>
#include <bit>
#include <tuple>
#include <utility>

#include "memory/huge_array.h"

namespace kvbm {
namespace {

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

/// Ranks cut into buckets of the same width, about as many as there are ranks: a power of two, so
/// that one shift finds the bucket. Where ranks lie close together, each has a bucket of its own.
class Buckets {
 public:
  /// There is at least one rank.
  explicit Buckets(const Range& range)
      : lowest_(range.lowest),
        shift_(std::max(0, WidthOf(range.highest - range.lowest) - WidthOf(range.count))),
        count_(((range.highest - range.lowest) >> shift_) + 1) {}

  std::size_t Of(std::uint64_t rank) const { return (rank - lowest_) >> shift_; }
  std::size_t count() const { return count_; }
  /// Whether ranks in one bucket may differ.
  bool are_mixed() const { return shift_ > 0; }

 private:
  static int WidthOf(std::uint64_t number) { return static_cast<int>(std::bit_width(number)); }

  const std::uint64_t lowest_;
  const int shift_;
  const std::size_t count_;
};

/// Writes slots bucket by bucket, ascending in each. `ends`, all zero, become those of the buckets.
void Distribute(std::span<const std::uint64_t> ranks, const Buckets& buckets,
                std::span<std::uint32_t> ends, std::span<std::uint32_t> slots) {
  for (const std::uint64_t rank : ranks) {
    if (rank != kNoRank) ends[buckets.Of(rank)]++;
  }
  std::uint32_t sum = 0;
  for (std::uint32_t& end : ends) sum += std::exchange(end, sum);
  for (std::size_t slot = 0; slot < ranks.size(); slot++) {
    if (ranks[slot] == kNoRank) continue;
    slots[ends[buckets.Of(ranks[slot])]++] = static_cast<std::uint32_t>(slot);
  }
}

void SortEach(std::span<const std::uint32_t> ends, std::span<const std::uint64_t> ranks,
              std::span<std::uint32_t> slots) {
  const auto age = [ranks](std::uint32_t slot) { return std::tuple(ranks[slot], slot); };
  std::uint32_t begin = 0;
  for (const std::uint32_t end : ends) {
    if (end - begin > 1) std::ranges::sort(slots.subspan(begin, end - begin), {}, age);
    begin = end;
  }
}

}  // namespace

Result<std::size_t> OrderSlots(std::span<const std::uint64_t> ranks,
                               std::span<std::uint32_t> slots) {
  const Range range = RangeOf(ranks);
  if (range.count == 0) return range.count;
  const Buckets buckets(range);
  KVBM_ASSIGN_OR_RETURN(const auto ends, HugeArray<std::uint32_t>::Of(buckets.count()));
  Distribute(ranks, buckets, ends.span(), slots);
  if (buckets.are_mixed()) SortEach(ends.span(), ranks, slots);
  return range.count;
}

}  // namespace kvbm
