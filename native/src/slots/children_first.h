#ifndef KVBM_SLOTS_CHILDREN_FIRST_H_
#define KVBM_SLOTS_CHILDREN_FIRST_H_

#include <cstdint>
#include <span>

#include "slots/slot_index.h"

namespace kvbm {

/// What chains are made of, in columns by slot.
struct Lineage {
  std::span<const HashWords> hashes;
  std::span<const HashWords> parents;
  std::span<const std::uint32_t> positions;
  /// Finds the slots that count by `hashes`.
  const SlotIndex& index;
};

/// Writes `slots`, given oldest first, to as many of `into` so that none stands before a child of
/// it: from the newest to the oldest, each takes those of its ancestors that have no place yet
/// along, the root as the newest. An order that is right already stays as it is.
void PutChildrenFirst(std::span<const std::uint32_t> slots, const Lineage& lineage,
                      std::span<std::uint32_t> into);

}  // namespace kvbm

#endif  // KVBM_SLOTS_CHILDREN_FIRST_H_
