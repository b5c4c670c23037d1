#include "slots/children_first.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

namespace kvbm {
namespace {

/// Slots between looking ahead and looking: a miss of the cache takes about so long.
constexpr std::size_t kPrefetchRows = 16;

class Ordering {
 public:
  Ordering(std::span<const std::uint32_t> slots, const Lineage& lineage,
           std::span<std::uint32_t> into)
      : slots_(slots),
        lineage_(lineage),
        into_(into),
        oldest_(slots.size()),
        is_placed_(lineage.positions.size()) {}

  void Run() {
    for (std::size_t row = slots_.size(); row-- > 0;) PlaceWithAncestors(row);
  }

 private:
  void PlaceWithAncestors(std::size_t row) {
    const std::size_t end = oldest_;
    std::optional<std::uint32_t> slot = slots_[row];
    while (slot.has_value() && !is_placed_[*slot]) {
      if (row >= kPrefetchRows) Prefetch(slots_[row - kPrefetchRows]);
      is_placed_[*slot] = true;
      into_[--oldest_] = *slot;
      // The parent mostly was written right before or right after: as long as it was, none is
      // looked up.
      if (IsRoot(*slot) || (end < slots_.size() && IsParent(into_[end], *slot))) break;
      if (row > 0 && IsParent(slots_[row - 1], *slot)) {
        slot = slots_[--row];
      } else {
        slot = ParentOf(*slot);
        row = 0;
      }
    }
    std::ranges::reverse(into_.subspan(oldest_, end - oldest_));
  }

  bool IsRoot(std::uint32_t slot) const { return lineage_.positions[slot] == 0; }

  /// Positions must fit too, so that no chain can be a circle.
  bool IsParent(std::uint32_t parent, std::uint32_t child) const {
    return lineage_.positions[parent] == lineage_.positions[child] - 1 &&
           lineage_.hashes[parent] == lineage_.parents[child];
  }

  std::optional<std::uint32_t> ParentOf(std::uint32_t slot) const {
    const auto found = lineage_.index.Find(lineage_.parents[slot]);
    return found.has_value() && IsParent(*found, slot) ? found : std::nullopt;
  }

  void Prefetch(std::uint32_t slot) const {
#if defined(__GNUC__)
    __builtin_prefetch(&lineage_.hashes[slot]);
    __builtin_prefetch(&lineage_.parents[slot]);
    __builtin_prefetch(&lineage_.positions[slot]);
#else
    static_cast<void>(slot);
#endif
  }

  const std::span<const std::uint32_t> slots_;
  const Lineage& lineage_;
  const std::span<std::uint32_t> into_;
  /// Of the places in `into_` that are taken, the first. All behind it are taken.
  std::size_t oldest_;
  std::vector<bool> is_placed_;
};

}  // namespace

void PutChildrenFirst(std::span<const std::uint32_t> slots, const Lineage& lineage,
                      std::span<std::uint32_t> into) {
  Ordering(slots, lineage, into).Run();
}

}  // namespace kvbm
