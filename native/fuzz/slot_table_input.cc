#include "fuzz/slot_table_input.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "kvbm/crc32c.h"
#include "kvbm/slot_recovery.h"
#include "kvbm/slot_table.h"
#include "slots/slot_index.h"

namespace kvbm::fuzz {
namespace {

using Record = std::span<const std::byte>;

void Promise(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "Broken: %s\n", what);
  std::abort();
}

/// A file without a name that has the bytes and no others.
class Scratch {
 public:
  Scratch() {
    std::string path = "/tmp/kvbm-fuzz-XXXXXX";
    descriptor_ = mkstemp(path.data());
    auto opened = File::Open({.path = path, .write = true});
    Promise(descriptor_ >= 0 && opened.ok(), "a temporary file can be made");
    unlink(path.c_str());
    file_ = opened.value();
  }

  const File& With(std::span<const std::byte> bytes) const {
    Promise(ftruncate(descriptor_, 0) == 0 && file_->Write(bytes, 0).ok(), "it can be written");
    return *file_;
  }

 private:
  int descriptor_;
  std::shared_ptr<File> file_;
};

std::uint32_t Word(Record record, std::size_t at) {
  std::uint32_t word;
  std::memcpy(&word, &record[at], sizeof(word));
  return word;
}

bool Holds(Record record) {
  return Word(record, 0) == 0x3153564b && Crc32c(record.first(60)) == Word(record, 60);
}

/// The record of a slot as it lies in the input.
Record RecordAt(std::span<const std::byte> table, std::uint32_t slot) {
  Promise(std::uint64_t{slot} * 64 + 64 <= table.size(), "a slot lies in the table");
  return table.subspan(std::size_t{slot} * 64, 64);
}

void CheckColumns(std::span<const std::byte> table, const SlotColumns& found) {
  std::set<std::uint32_t> seen;
  for (std::size_t row = 0; row < found.slots.size(); row++) {
    const Record record = RecordAt(table, found.slots[row]);
    Promise(Holds(record), "the checksum of a record holds");
    Promise(seen.insert(found.slots[row]).second, "a slot has one record");
    Promise(row == 0 || found.generations[row - 1] <= found.generations[row], "rows ascend");
    Promise(Word(record, 4) == found.lengths[row], "the length is the record's");
    Promise(std::memcmp(&record[16], &found.hashes[4 * row], 16) == 0, "the hash is the record's");
  }
  Promise(found.slots.size() + found.damaged <= table.size() / 64, "no record counts twice");
}

/// No slot stands before one that names it as its parent.
void CheckOrder(const RecoveredSlots& found, const std::vector<HashWords>& hashes) {
  std::map<HashWords, std::uint32_t> passed;
  for (const std::uint32_t slot : found.slots) {
    HashWords parent;
    std::memcpy(parent.data(), &found.parents[4 * std::size_t{slot}], sizeof(parent));
    const auto before = passed.find(parent);
    Promise(found.positions[slot] == 0 || before == passed.end() ||
                before->second != found.positions[slot] - 1,
            "children come first");
    passed[hashes[slot]] = found.positions[slot];
  }
}

void CheckRecovered(std::span<const std::byte> table, const RecoverOptions& options,
                    const RecoveredSlots& found) {
  std::vector<HashWords> hashes(options.rows);
  if (options.rows > 0) std::memcpy(hashes.data(), found.hashes.data(), found.hashes.size_bytes());
  std::set<HashWords> names;
  for (const std::uint32_t slot : found.slots) {
    const Record record = RecordAt(table, slot);
    Promise(Holds(record), "the checksum of a recovered record holds");
    Promise(slot < options.stored && Word(record, 4) == options.length, "it fits");
    Promise(std::memcmp(&record[16], &hashes[slot], 16) == 0, "its hash is in its row");
    Promise(names.insert(hashes[slot]).second, "a hash stands once");
  }
  CheckOrder(found, hashes);
  std::size_t entries = 0;
  for (const std::uint32_t entry : found.index) {
    if (entry == 0) continue;
    entries++;
    Promise(names.contains(hashes[SlotIndex::SlotOf(entry)]), "the index has what is recovered");
  }
  Promise(entries == found.slots.size(), "and has it once");
  Promise(found.slots.size() <= found.count, "what is newest is live");
  Promise(found.count + found.damaged + found.dropped.size() <= table.size() / 64, "none twice");
}

}  // namespace

void CheckSlotTable(std::span<const std::byte> table) {
  static const Scratch scratch;
  const File& file = scratch.With(table);
  const auto read = ReadSlotRecords(file, 0, table.size() / 64 + 1);
  Promise(read.ok(), "a table can be read");
  CheckColumns(table, read.value());
  const auto slots = static_cast<std::uint32_t>(table.size() / 64);
  for (const std::uint32_t stored : {slots, slots / 2, 0U}) {
    const RecoverOptions options = {
        .slot_count = slots + 1U, .rows = slots, .stored = stored, .length = 4096};
    const auto found = RecoverSlots(file, 0, options);
    Promise(found.ok(), "a table can be recovered");
    CheckRecovered(table, options, found.value());
  }
}

}  // namespace kvbm::fuzz
