#ifndef KVBM_COPY_REGION_MEMO_H_
#define KVBM_COPY_REGION_MEMO_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "kvbm/region_table.h"

namespace kvbm {

/// A region of a job with its bytes as they are at the call.
struct UsedRegion {
  Region region;
  std::span<std::byte> bytes;
  /// What was asked for after this one last time, by column.
  UsedRegion* next[3] = {};
};

/// Columns of rows that name regions: each has an order of its own, which tends to repeat.
enum class RegionColumn : std::uint8_t { kSource, kTarget, kPiece };

/// The regions of one job. Asks the table once for each.
class RegionMemo {
 public:
  explicit RegionMemo(const RegionTable& table) : table_(table) {}

  /// Stays valid as long as the memo. `kInvalidArgument` for numbers that are no open region's.
  Result<UsedRegion*> Use(RegionColumn column, double id) {
    const auto at = static_cast<std::size_t>(column);
    UsedRegion*& guess = last_[at] == nullptr ? first_[at] : last_[at]->next[at];
    if (guess == nullptr || !Is(*guess, id)) {
      KVBM_ASSIGN_OR_RETURN(guess, Find(id));
    }
    last_[at] = guess;
    return guess;
  }

  /// All of them, for whoever keeps them from ending.
  std::vector<Region> Regions() const;

 private:
  static bool Is(const UsedRegion& used, double id) {
    return static_cast<double>(used.region.id) == id;
  }
  Result<UsedRegion*> Find(double id);

  const RegionTable& table_;
  /// Pointers into it stay valid.
  std::unordered_map<double, UsedRegion> used_;
  UsedRegion* first_[3] = {};
  UsedRegion* last_[3] = {};
};

}  // namespace kvbm

#endif  // KVBM_COPY_REGION_MEMO_H_
