#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "arguments.h"
#include "async_call.h"
#include "calls.h"
#include "errors.h"
#include "given_memory.h"
#include "kvbm/region_table.h"
#include "kvbm/slot_recovery.h"
#include "kvbm/slot_table.h"

namespace kvbm::addon {
namespace {

/// The file of the first argument and the offset of the second.
struct Table {
  Region region;
  double offset = 0;

  const File& file() const { return *region.file; }
  std::uint64_t begin() const { return static_cast<std::uint64_t>(offset); }
};

Table TableOf(const Napi::CallbackInfo& info) {
  const double offset = ToNumber("tableOffset", info[1]);
  Table table{ValueOrThrow(info.Env(), RegionTable::Process().FindFile(ToNumber("file", info[0]))),
              offset};
  ThrowUnlessOk(info.Env(), CheckRange("tableOffset", table.region, offset, 0));
  return table;
}

/// Records end where JavaScript can count to.
void CheckRecords(Napi::Env env, const char* name, const Table& table, std::uint64_t count) {
  const auto length = static_cast<double>(count * kSlotRecordBytes);
  ThrowUnlessOk(env, CheckRange(name, table.region, table.offset, length));
}

std::uint64_t SlotCountOf(const char* name, const Table& table, Napi::Value value) {
  const std::uint64_t count = ToNonNegative("slotCount", value);
  if (count > kSlotCountMax) {
    ThrowInvalid("slotCount", "at most " + std::to_string(kSlotCountMax), value);
  }
  CheckRecords(value.Env(), name, table, count);
  return count;
}

std::uint64_t EndOf(std::span<const std::uint32_t> slots) {
  return slots.empty() ? 0 : std::uint64_t{*std::ranges::max_element(slots)} + 1;
}

SlotColumns ColumnsOf(Napi::Value value) {
  const Napi::Object rows = ToObject("rows", value);
  const auto words = [&](const std::string& name) {
    return CopyOf(ToWords(("rows." + name).c_str(), rows.Get(name)));
  };
  SlotColumns columns;
  columns.slots = words("slots");
  columns.generations = CopyOf(ToDoubles("rows.generations", rows.Get("generations")));
  columns.hashes = words("hashes");
  columns.parents = words("parents");
  columns.positions = words("positions");
  columns.lengths = words("lengths");
  columns.checksums = words("checksums");
  return columns;
}

Napi::Value RecordsOf(Napi::Env env, const SlotColumns& columns) {
  const Napi::Object records = Napi::Object::New(env);
  records.Set("count", static_cast<double>(columns.slots.size()));
  records.Set("slots", WordsOf(env, columns.slots));
  records.Set("generations", DoublesOf(env, columns.generations));
  records.Set("hashes", WordsOf(env, columns.hashes));
  records.Set("parents", WordsOf(env, columns.parents));
  records.Set("positions", WordsOf(env, columns.positions));
  records.Set("lengths", WordsOf(env, columns.lengths));
  records.Set("checksums", WordsOf(env, columns.checksums));
  records.Set("damaged", static_cast<double>(columns.damaged));
  return records;
}

std::uint32_t ToCount(const char* name, Napi::Value value, std::uint32_t most) {
  const std::uint32_t count = ToWord(name, value);
  if (count > most) ThrowInvalid(name, "at most " + std::to_string(most), value);
  return count;
}

RecoverOptions RecoverOptionsOf(Napi::Value value) {
  const Napi::Object given = ToObject("options", value);
  RecoverOptions options;
  options.rows = ToCount("options.numSlots", given.Get("numSlots"), kIndexedSlotsMax);
  options.stored = ToCount("options.storedSlots", given.Get("storedSlots"), options.rows);
  options.length = ToWord("options.slotBytes", given.Get("slotBytes"));
  return options;
}

Napi::Value RecoveredOf(Napi::Env env, RecoveredSlots found) {
  const GivenMemory memory(env, std::move(found.memory));
  const Napi::Object slots = Napi::Object::New(env);
  slots.Set("count", static_cast<double>(found.count));
  slots.Set("damaged", static_cast<double>(found.damaged));
  slots.Set("dropped", WordsOf(env, found.dropped));
  slots.Set("lastGeneration", static_cast<double>(found.last_generation));
  slots.Set("slots", memory.Words(found.slots));
  slots.Set("live", memory.Bytes(found.live));
  slots.Set("hashes", memory.Words(found.hashes));
  slots.Set("parents", memory.Words(found.parents));
  slots.Set("positions", memory.Words(found.positions));
  slots.Set("checksums", memory.Words(found.checksums));
  slots.Set("index", memory.Words(found.index));
  return slots;
}

void Write(const char* name, Napi::Promise::Deferred deferred, const Table& table,
           std::vector<std::uint32_t> slots, std::vector<std::byte> records) {
  CheckRecords(deferred.Env(), name, table, EndOf(slots));
  RunAsync(deferred, [table, slots = std::move(slots), records = std::move(records)] {
    return WriteSlotRecords(table.file(), table.begin(), slots, records);
  });
}

}  // namespace

Napi::Value ReadSlots(const Napi::CallbackInfo& info) {
  return Promising(info.Env(), [&](Napi::Promise::Deferred deferred) {
    const Table table = TableOf(info);
    const std::uint64_t count = SlotCountOf("readSlots", table, info[2]);
    RunAsync<SlotColumns>(
        deferred, [table, count] { return ReadSlotRecords(table.file(), table.begin(), count); },
        RecordsOf);
  });
}

Napi::Value RecoverSlots(const Napi::CallbackInfo& info) {
  return Promising(info.Env(), [&](Napi::Promise::Deferred deferred) {
    const Table table = TableOf(info);
    RecoverOptions options = RecoverOptionsOf(info[3]);
    options.slot_count = SlotCountOf("recoverSlots", table, info[2]);
    RunAsync<RecoveredSlots>(
        deferred,
        [table, options] { return kvbm::RecoverSlots(table.file(), table.begin(), options); },
        RecoveredOf);
  });
}

Napi::Value WriteSlots(const Napi::CallbackInfo& info) {
  return Promising(info.Env(), [&](Napi::Promise::Deferred deferred) {
    const Table table = TableOf(info);
    SlotColumns columns = ColumnsOf(info[2]);
    auto records = ValueOrThrow(info.Env(), EncodeSlotRecords(columns));
    Write("writeSlots", deferred, table, std::move(columns.slots), std::move(records));
  });
}

Napi::Value ClearSlots(const Napi::CallbackInfo& info) {
  return Promising(info.Env(), [&](Napi::Promise::Deferred deferred) {
    const Table table = TableOf(info);
    auto slots = CopyOf(ToWords("slots", info[2]));
    std::vector<std::byte> records(slots.size() * kSlotRecordBytes);
    Write("clearSlots", deferred, table, std::move(slots), std::move(records));
  });
}

}  // namespace kvbm::addon
