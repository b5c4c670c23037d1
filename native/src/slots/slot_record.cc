#include "slots/slot_record.h"

#include <algorithm>

#include "kvbm/crc32c.h"

namespace kvbm {

std::uint32_t ChecksumOf(const SlotRecord& record) {
  const auto bytes = std::as_bytes(std::span(&record, 1));
  return Crc32c(bytes.first(offsetof(SlotRecord, checksum)));
}

bool IsFree(const SlotRecord& record) {
  const auto words = std::bit_cast<std::array<std::uint64_t, kSlotRecordBytes / 8>>(record);
  return std::ranges::all_of(words, [](std::uint64_t word) { return word == 0; });
}

bool IsWhole(const SlotRecord& record) {
  return record.magic == kSlotMagic && record.generation <= kGenerationMax &&
         record.checksum == ChecksumOf(record);
}

}  // namespace kvbm
