#include "kvbm/slot_table.h"

#include <algorithm>
#include <cstring>

#include "slots/slot_record.h"

namespace kvbm {
namespace {

/// Bytes of a table read at a time.
constexpr std::size_t kScanBytes = std::size_t{4} << 20;

struct Found {
  std::uint32_t slot;
  SlotRecord record;
};

/// Sorts the whole records of a part from the damaged ones.
void Scan(std::span<const std::byte> part, std::uint64_t first_slot, std::vector<Found>& found,
          std::uint64_t& damaged) {
  for (std::size_t i = 0; i < part.size() / kSlotRecordBytes; i++) {
    SlotRecord record;
    std::memcpy(&record, &part[i * kSlotRecordBytes], kSlotRecordBytes);
    if (IsFree(record)) continue;
    if (IsWhole(record)) {
      found.push_back({static_cast<std::uint32_t>(first_slot + i), record});
    } else {
      damaged++;
    }
  }
}

void Append(SlotColumns& columns, const Found& found) {
  const SlotRecord& record = found.record;
  columns.slots.push_back(found.slot);
  columns.generations.push_back(static_cast<double>(record.generation));
  columns.hashes.insert(columns.hashes.end(), record.hash.begin(), record.hash.end());
  columns.parents.insert(columns.parents.end(), record.parent.begin(), record.parent.end());
  columns.positions.push_back(record.position);
  columns.lengths.push_back(record.length);
  columns.checksums.push_back(record.data_checksum);
}

SlotColumns InOrder(std::vector<Found> found, std::uint64_t damaged) {
  std::ranges::stable_sort(found, {}, [](const Found& row) { return row.record.generation; });
  SlotColumns columns;
  columns.damaged = damaged;
  for (const Found& row : found) Append(columns, row);
  return columns;
}

}  // namespace

Result<SlotColumns> ReadSlotRecords(const File& file, std::uint64_t table_offset,
                                    std::uint64_t slot_count) {
  const std::uint64_t table_bytes = slot_count * kSlotRecordBytes;
  std::vector<std::byte> part(std::min<std::uint64_t>(kScanBytes, table_bytes));
  std::vector<Found> found;
  std::uint64_t damaged = 0;
  for (std::uint64_t at = 0; at < table_bytes; at += part.size()) {
    const auto wanted =
        std::span(part).first(std::min<std::uint64_t>(part.size(), table_bytes - at));
    KVBM_ASSIGN_OR_RETURN(const std::size_t length, file.Read(wanted, table_offset + at));
    Scan(wanted.first(length), at / kSlotRecordBytes, found, damaged);
    if (length < wanted.size()) break;
  }
  return InOrder(std::move(found), damaged);
}

Status WriteSlotRecords(const File& file, std::uint64_t table_offset,
                        std::span<const std::uint32_t> slots, std::span<const std::byte> records) {
  for (std::size_t from = 0; from < slots.size();) {
    std::size_t to = from + 1;
    while (to < slots.size() && slots[to] == std::uint64_t{slots[to - 1]} + 1) to++;
    const auto bytes = records.subspan(from * kSlotRecordBytes, (to - from) * kSlotRecordBytes);
    const std::uint64_t place = table_offset + std::uint64_t{slots[from]} * kSlotRecordBytes;
    KVBM_RETURN_IF_ERROR(file.Write(bytes, place));
    from = to;
  }
  return {};
}

}  // namespace kvbm
