#ifndef KVBM_SLOT_RECOVERY_H_
#define KVBM_SLOT_RECOVERY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kvbm/file.h"
#include "kvbm/memory.h"
#include "kvbm/status.h"

namespace kvbm {

/// Which records of a table are taken back.
struct RecoverOptions {
  /// Records to look at.
  std::uint64_t slot_count = 0;
  /// Slots of the tier: rows of the columns, at most `kIndexedSlotsMax`.
  std::uint32_t rows = 0;
  /// Slots whose bytes exist, at most `rows`; records of later ones are dropped.
  std::uint32_t stored = 0;
  /// Records of blocks of another length are dropped.
  std::uint32_t length = 0;
};

/// Slots that an index can tell apart: 27 bits.
inline constexpr std::uint32_t kIndexedSlotsMax = std::uint32_t{1} << 27;

/// What is in the slots of a tier, in columns by slot, all in one memory that comes on huge pages
/// where the system has them. Rows of free slots are zero.
struct RecoveredSlots {
  std::unique_ptr<MemoryOwner> memory;
  /// Four words a row.
  std::span<std::uint32_t> hashes;
  std::span<std::uint32_t> parents;
  std::span<std::uint32_t> positions;
  std::span<std::uint32_t> checksums;
  /// 1 where a slot has a record that is taken back.
  std::span<std::uint8_t> live;
  /// Finds `slots` by hash; see slots/slot_index.h.
  std::span<std::uint32_t> index;
  /// Live slots, the first to be evicted first: oldest first, but none before a child of it. Of
  /// several with one hash only the newest: the higher generation, else the higher slot.
  std::span<std::uint32_t> slots;
  /// Live slots, older ones of a hash too.
  std::uint64_t count = 0;
  /// Records that were neither free nor whole.
  std::uint64_t damaged = 0;
  /// Slots of whole records that do not fit, ascending.
  std::vector<std::uint32_t> dropped;
  /// The highest of all whole records; 0 where there is none.
  std::uint64_t last_generation = 0;
};

/// One scan of a table on a few threads, which read and check while one after another indexes. A
/// table that ends early has no records there.
Result<RecoveredSlots> RecoverSlots(const File& file, std::uint64_t table_offset,
                                    const RecoverOptions& options);

}  // namespace kvbm

#endif  // KVBM_SLOT_RECOVERY_H_
