#include <algorithm>
#include <cstring>

#include "kvbm/region_table.h"
#include "slots/slot_record.h"
#include "text.h"

namespace kvbm {
namespace {

Status CheckLength(const char* name, std::size_t actual, std::size_t expected, const char* unit) {
  if (actual == expected) return {};
  return InvalidArgument(Text("rows.", name, ".length: expected ", expected, ", ", unit,
                              " per slot, got ", actual, " (number)"));
}

Status CheckGenerations(std::span<const double> generations) {
  for (const double generation : generations) {
    std::uint64_t exact = 0;
    if (ToOffset(generation, exact)) continue;
    return InvalidArgument(
        Text("rows.generations: expected integers of 0 or more, got ", generation, " (number)"));
  }
  return {};
}

Status CheckColumns(const SlotColumns& rows) {
  const std::size_t count = rows.slots.size();
  KVBM_RETURN_IF_ERROR(CheckLength("generations", rows.generations.size(), count, "one"));
  KVBM_RETURN_IF_ERROR(CheckLength("positions", rows.positions.size(), count, "one"));
  KVBM_RETURN_IF_ERROR(CheckLength("lengths", rows.lengths.size(), count, "one"));
  KVBM_RETURN_IF_ERROR(CheckLength("checksums", rows.checksums.size(), count, "one"));
  KVBM_RETURN_IF_ERROR(CheckLength("hashes", rows.hashes.size(), 4 * count, "four words"));
  KVBM_RETURN_IF_ERROR(CheckLength("parents", rows.parents.size(), 4 * count, "four words"));
  return CheckGenerations(rows.generations);
}

SlotRecord RecordOf(const SlotColumns& rows, std::size_t row) {
  SlotRecord record;
  record.magic = kSlotMagic;
  record.length = rows.lengths[row];
  record.generation = static_cast<std::uint64_t>(rows.generations[row]);
  std::copy_n(&rows.hashes[4 * row], 4, record.hash.begin());
  std::copy_n(&rows.parents[4 * row], 4, record.parent.begin());
  record.position = rows.positions[row];
  record.data_checksum = rows.checksums[row];
  record.checksum = ChecksumOf(record);
  return record;
}

}  // namespace

Result<std::vector<std::byte>> EncodeSlotRecords(const SlotColumns& rows) {
  KVBM_RETURN_IF_ERROR(CheckColumns(rows));
  std::vector<std::byte> bytes(rows.slots.size() * kSlotRecordBytes);
  for (std::size_t row = 0; row < rows.slots.size(); row++) {
    const SlotRecord record = RecordOf(rows, row);
    std::memcpy(&bytes[row * kSlotRecordBytes], &record, kSlotRecordBytes);
  }
  return bytes;
}

}  // namespace kvbm
