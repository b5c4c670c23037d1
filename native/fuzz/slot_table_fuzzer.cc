#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "fuzz/slot_table_input.h"
#include "kvbm/crc32c.h"

namespace {

constexpr std::size_t kRecordBytes = 64;

/// Nearly no changed record would pass its checksum, and what lies behind it would stay untried:
/// the lowest bit of the reserved word asks for a checksum that holds.
std::vector<std::byte> WithChecksums(std::span<const std::byte> input) {
  std::vector<std::byte> table(input.begin(), input.end());
  for (std::size_t at = 0; at + kRecordBytes <= table.size(); at += kRecordBytes) {
    const std::span record(&table[at], kRecordBytes);
    if ((record[56] & std::byte{1}) == std::byte{0}) continue;
    const std::uint32_t checksum = kvbm::Crc32c(record.first(60));
    std::memcpy(&record[60], &checksum, sizeof(checksum));
  }
  return table;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = std::as_bytes(std::span(data, size));
  kvbm::fuzz::CheckSlotTable(input);
  kvbm::fuzz::CheckSlotTable(WithChecksums(input));
  return 0;
}
