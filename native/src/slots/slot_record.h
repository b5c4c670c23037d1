#ifndef KVBM_SLOTS_SLOT_RECORD_H_
#define KVBM_SLOTS_SLOT_RECORD_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kvbm/slot_table.h"

namespace kvbm {

static_assert(std::endian::native == std::endian::little, "records are little-endian on disk");

/// 'KVS1'. A free slot's record is all zeros.
inline constexpr std::uint32_t kSlotMagic = 0x3153564b;

/// None higher was ever written, and those that follow must be exact in JavaScript's numbers.
inline constexpr std::uint64_t kGenerationMax = std::uint64_t{1} << 52;

/// A record as it lies on disk.
struct SlotRecord {
  std::uint32_t magic = 0;
  std::uint32_t length = 0;
  std::uint64_t generation = 0;
  std::array<std::uint32_t, 4> hash = {};
  std::array<std::uint32_t, 4> parent = {};
  std::uint32_t position = 0;
  std::uint32_t data_checksum = 0;
  std::uint32_t reserved = 0;
  /// CRC32C of all before.
  std::uint32_t checksum = 0;
};
static_assert(sizeof(SlotRecord) == kSlotRecordBytes);
static_assert(offsetof(SlotRecord, hash) == 16 && offsetof(SlotRecord, checksum) == 60);

std::uint32_t ChecksumOf(const SlotRecord& record);
bool IsFree(const SlotRecord& record);
bool IsWhole(const SlotRecord& record);

}  // namespace kvbm

#endif  // KVBM_SLOTS_SLOT_RECORD_H_
