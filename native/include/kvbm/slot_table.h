#ifndef KVBM_SLOT_TABLE_H_
#define KVBM_SLOT_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kvbm/file.h"
#include "kvbm/status.h"

namespace kvbm {

inline constexpr std::size_t kSlotRecordBytes = 64;
/// Slots are numbered in 32 bits.
inline constexpr std::uint64_t kSlotCountMax = std::uint64_t{1} << 32;

/// Columns of slot records, parallel; hashes and parents have 4 words a row.
struct SlotColumns {
  std::vector<std::uint32_t> slots;
  std::vector<double> generations;
  std::vector<std::uint32_t> hashes;
  std::vector<std::uint32_t> parents;
  std::vector<std::uint32_t> positions;
  std::vector<std::uint32_t> lengths;
  std::vector<std::uint32_t> checksums;
  /// Records that were neither free nor whole.
  std::uint64_t damaged = 0;
};

/// Records of the given rows, one after another. `kInvalidArgument` when columns are not parallel.
Result<std::vector<std::byte>> EncodeSlotRecords(const SlotColumns& rows);

/// The whole records among the first `slot_count`, ascending by generation. A table that ends
/// early has no records there.
Result<SlotColumns> ReadSlotRecords(const File& file, std::uint64_t table_offset,
                                    std::uint64_t slot_count);

/// Writes one record of 64 bytes per slot; consecutive slots go in one write.
Status WriteSlotRecords(const File& file, std::uint64_t table_offset,
                        std::span<const std::uint32_t> slots, std::span<const std::byte> records);

}  // namespace kvbm

#endif  // KVBM_SLOT_TABLE_H_
