#include "kvbm/slot_recovery.h"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <utility>

#include "memory/huge_array.h"
#include "slots/children_first.h"
#include "slots/slot_index.h"
#include "slots/slot_order.h"
#include "slots/slot_record.h"

namespace kvbm {
namespace {

/// Bytes of a table read at a time.
constexpr std::size_t kPartBytes = std::size_t{4} << 20;
constexpr std::size_t kPartRecords = kPartBytes / kSlotRecordBytes;
/// One indexes while others read and check, so that the disk always has some to read; more find
/// nothing to do.
constexpr std::size_t kThreads = 4;
/// Slots between looking ahead and inserting: a miss of the cache takes about so long.
constexpr std::size_t kPrefetchSlots = 16;

/// The columns as parts of one memory, the widest rows first, so that all begin aligned.
Result<RecoveredSlots> Allocate(std::uint32_t rows) {
  const std::size_t entries = SlotIndex::EntriesFor(rows);
  const std::uint64_t words = std::uint64_t{rows} * (4 + 4 + 1 + 1 + 1) + entries;
  KVBM_ASSIGN_OR_RETURN(auto memory, MapHugeMemory(words * 4 + rows));
  RecoveredSlots found;
  auto* at = reinterpret_cast<std::uint32_t*>(memory->Bytes().data());
  const auto take = [&at](std::size_t count) {
    return std::span(std::exchange(at, at + count), count);
  };
  found.hashes = take(4 * std::size_t{rows});
  found.parents = take(4 * std::size_t{rows});
  found.positions = take(rows);
  found.checksums = take(rows);
  found.index = take(entries);
  found.slots = take(rows);
  found.live = {reinterpret_cast<std::uint8_t*>(at), rows};
  found.memory = std::move(memory);
  return found;
}

std::span<HashWords> HashesIn(std::span<std::uint32_t> words) {
  return {reinterpret_cast<HashWords*>(words.data()), words.size() / 4};
}

/// What one part of a table adds to the columns.
struct PartSummary {
  std::uint64_t count = 0;
  std::uint64_t damaged = 0;
  std::uint64_t last_generation = 0;
  std::vector<std::uint32_t> dropped;
};

class Recovery {
 public:
  Recovery(const File& file, std::uint64_t table_offset, const RecoverOptions& options,
           RecoveredSlots& found, std::span<std::uint64_t> ranks)
      : file_(file),
        table_offset_(table_offset),
        options_(options),
        found_(found),
        hashes_(HashesIn(found.hashes)),
        ranks_(ranks),
        index_(found.index, hashes_) {}

  Status Run() {
    KVBM_ASSIGN_OR_RETURN(const std::uint64_t file_bytes, file_.Size());
    const std::uint64_t present = file_bytes < table_offset_ ? 0 : file_bytes - table_offset_;
    records_ = std::min(options_.slot_count, present / kSlotRecordBytes);
    parts_ = (records_ + kPartRecords - 1) / kPartRecords;
    std::vector<std::thread> helpers = Help();
    Work();
    for (std::thread& helper : helpers) helper.join();
    return status_;
  }

 private:
  /// As many as there is work for and the system gives.
  std::vector<std::thread> Help() {
    std::vector<std::thread> helpers;
    try {
      while (helpers.size() + 1 < std::min<std::uint64_t>(kThreads, parts_)) {
        helpers.emplace_back([this] { Work(); });
      }
    } catch (const std::system_error&) {
      // Fewer take longer.
    }
    return helpers;
  }

  void Work() {
    auto buffer = HugeArray<SlotRecord>::Of(std::min<std::uint64_t>(kPartRecords, records_));
    for (std::uint64_t part = next_++; part < parts_; part = next_++) {
      PartSummary summary;
      const Status status =
          buffer.ok() ? Read(part, buffer.value().span(), summary) : buffer.status();
      AwaitTurn(part);
      if (status_.ok()) status_ = status;
      if (status_.ok()) Index(part, summary);
      EndTurn();
    }
  }

  /// Parts take turns in their order: the index is the same each time, and one thread's at a time.
  void AwaitTurn(std::uint64_t part) {
    for (std::uint64_t turn = turn_; turn != part; turn = turn_) turn_.wait(turn);
  }

  void EndTurn() {
    turn_++;
    turn_.notify_all();
  }

  Status Read(std::uint64_t part, std::span<SlotRecord> buffer, PartSummary& summary) {
    const std::uint64_t first = part * kPartRecords;
    const auto records = buffer.first(std::min<std::uint64_t>(buffer.size(), records_ - first));
    KVBM_ASSIGN_OR_RETURN(const std::size_t length,
                          file_.Read(std::as_writable_bytes(records),
                                     table_offset_ + first * kSlotRecordBytes));
    for (std::size_t i = 0; i < length / kSlotRecordBytes; i++) {
      Take(records[i], static_cast<std::uint32_t>(first + i), summary);
    }
    return {};
  }

  void Take(const SlotRecord& record, std::uint32_t slot, PartSummary& summary) {
    if (!IsWhole(record)) {
      summary.damaged += IsFree(record) ? 0 : 1;
      return;
    }
    summary.last_generation = std::max(summary.last_generation, record.generation);
    if (slot >= options_.stored || record.length != options_.length) {
      summary.dropped.push_back(slot);
      return;
    }
    summary.count++;
    hashes_[slot] = record.hash;
    std::ranges::copy(record.parent, &found_.parents[4 * std::size_t{slot}]);
    found_.positions[slot] = record.position;
    found_.checksums[slot] = record.data_checksum;
    found_.live[slot] = 1;
    ranks_[slot] = record.generation + 1;
  }

  void Index(std::uint64_t part, const PartSummary& summary) {
    found_.count += summary.count;
    found_.damaged += summary.damaged;
    found_.last_generation = std::max(found_.last_generation, summary.last_generation);
    found_.dropped.insert(found_.dropped.end(), summary.dropped.begin(), summary.dropped.end());
    const std::uint64_t first = part * kPartRecords;
    const auto end = static_cast<std::uint32_t>(
        std::min({first + kPartRecords, records_, std::uint64_t{options_.stored}}));
    for (std::uint64_t next = first; next < end; next++) {
      const auto slot = static_cast<std::uint32_t>(next);
      if (slot + kPrefetchSlots < end) index_.Prefetch(slot + kPrefetchSlots);
      if (found_.live[slot] == 1) IndexSlot(slot);
    }
  }

  /// A block that was evicted and cached again in another slot has two whole records until its
  /// first slot is used again; the newer one counts.
  void IndexSlot(std::uint32_t slot) {
    std::uint32_t* const entry = index_.Insert(slot);
    if (entry == nullptr) return;
    const std::uint32_t other = SlotIndex::SlotOf(*entry);
    const bool is_newer = ranks_[slot] >= ranks_[other];
    ranks_[is_newer ? other : slot] = kNoRank;
    if (is_newer) *entry = index_.EntryOf(slot);
  }

  const File& file_;
  const std::uint64_t table_offset_;
  const RecoverOptions options_;
  RecoveredSlots& found_;
  const std::span<HashWords> hashes_;
  /// One above the generation.
  const std::span<std::uint64_t> ranks_;
  /// What follows, and all of `found_` but its columns, belongs to the part whose turn it is.
  SlotIndex index_;
  Status status_;
  std::uint64_t records_ = 0;
  std::uint64_t parts_ = 0;
  std::atomic<std::uint64_t> next_ = 0;
  std::atomic<std::uint64_t> turn_ = 0;
};

}  // namespace

Result<RecoveredSlots> RecoverSlots(const File& file, std::uint64_t table_offset,
                                    const RecoverOptions& options) {
  KVBM_ASSIGN_OR_RETURN(RecoveredSlots found, Allocate(options.rows));
  KVBM_ASSIGN_OR_RETURN(const auto ranks, HugeArray<std::uint64_t>::Of(options.rows));
  KVBM_RETURN_IF_ERROR(Recovery(file, table_offset, options, found, ranks.span()).Run());
  KVBM_ASSIGN_OR_RETURN(const auto by_age, HugeArray<std::uint32_t>::Of(options.rows));
  KVBM_ASSIGN_OR_RETURN(const std::size_t count, OrderSlots(ranks.span(), by_age.span()));
  found.slots = found.slots.first(count);
  const std::span<const HashWords> hashes = HashesIn(found.hashes);
  const SlotIndex index(found.index, hashes);
  PutChildrenFirst(by_age.span().first(count),
                   {hashes, HashesIn(found.parents), found.positions, index}, found.slots);
  return found;
}

}  // namespace kvbm
