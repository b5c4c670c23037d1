#ifndef KVBM_FUZZ_SLOT_TABLE_INPUT_H_
#define KVBM_FUZZ_SLOT_TABLE_INPUT_H_

#include <cstddef>
#include <span>

namespace kvbm::fuzz {

/// Reads the bytes as a slot table, every way there is, and aborts where an answer breaks a promise:
/// what is given has a checksum that holds, stands once, in order, within bounds, and is found.
void CheckSlotTable(std::span<const std::byte> table);

}  // namespace kvbm::fuzz

#endif  // KVBM_FUZZ_SLOT_TABLE_INPUT_H_
