#ifndef KVBM_SLOTS_SLOT_ORDER_H_
#define KVBM_SLOTS_SLOT_ORDER_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "kvbm/status.h"

namespace kvbm {

/// Of a slot that has no place in the order.
inline constexpr std::uint64_t kNoRank = 0;

/// Writes the slots that have a rank in ascending order of it, then of themselves, to the beginning
/// of `slots`, which is at least as long as there are some. Gives how many. `kStorageFull` when
/// the system refuses memory.
Result<std::size_t> OrderSlots(std::span<const std::uint64_t> ranks,
                               std::span<std::uint32_t> slots);

}  // namespace kvbm

#endif  // KVBM_SLOTS_SLOT_ORDER_H_
