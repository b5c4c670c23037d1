#include "kvbm/slot_table.h"

#include <algorithm>
#include <cstring>
#include <numeric>

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

/// Places in `found`, ascending by generation. Moving these is cheaper than moving records.
std::vector<std::uint32_t> OrderOf(const std::vector<Found>& found) {
  std::vector<std::uint32_t> order(found.size());
  std::iota(order.begin(), order.end(), 0U);
  const auto generation = [&](std::uint32_t i) { return found[i].record.generation; };
  if (!std::ranges::is_sorted(order, {}, generation)) {
    std::ranges::stable_sort(order, {}, generation);
  }
  return order;
}

void Resize(SlotColumns& columns, std::size_t rows) {
  columns.slots.resize(rows);
  columns.generations.resize(rows);
  columns.hashes.resize(4 * rows);
  columns.parents.resize(4 * rows);
  columns.positions.resize(rows);
  columns.lengths.resize(rows);
  columns.checksums.resize(rows);
}

void SetRow(SlotColumns& columns, std::size_t row, const Found& found) {
  const SlotRecord& record = found.record;
  columns.slots[row] = found.slot;
  columns.generations[row] = static_cast<double>(record.generation);
  std::ranges::copy(record.hash, &columns.hashes[4 * row]);
  std::ranges::copy(record.parent, &columns.parents[4 * row]);
  columns.positions[row] = record.position;
  columns.lengths[row] = record.length;
  columns.checksums[row] = record.data_checksum;
}

SlotColumns InOrder(const std::vector<Found>& found, std::uint64_t damaged) {
  SlotColumns columns;
  columns.damaged = damaged;
  Resize(columns, found.size());
  std::size_t row = 0;
  for (const std::uint32_t place : OrderOf(found)) SetRow(columns, row++, found[place]);
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
  return InOrder(found, damaged);
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
