#include <utility>
#include <vector>

#include "arguments.h"
#include "async_call.h"
#include "calls.h"
#include "errors.h"
#include "kvbm/region_table.h"
#include "kvbm/slot_table.h"

namespace kvbm::addon {
namespace {

/// The file of the first argument and the offset of the second.
struct Table {
  std::shared_ptr<File> file;
  std::uint64_t offset = 0;
};

Table TableOf(const Napi::CallbackInfo& info) {
  const double offset = ToNumber("tableOffset", info[1]);
  const Region region =
      ValueOrThrow(info.Env(), RegionTable::Process().FindFile(ToNumber("file", info[0])));
  ThrowUnlessOk(info.Env(), CheckRange("tableOffset", region, offset, 0));
  return {region.file, static_cast<std::uint64_t>(offset)};
}

SlotColumns ColumnsOf(Napi::Value value) {
  const Napi::Object rows = ToObject("rows", value);
  const auto words = [&](const char* name) { return CopyOf(ToWords(name, rows.Get(name))); };
  SlotColumns columns;
  columns.slots = words("slots");
  columns.generations = CopyOf(ToDoubles("generations", rows.Get("generations")));
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

void Write(Napi::Promise::Deferred deferred, const Table& table, std::vector<std::uint32_t> slots,
           std::vector<std::byte> records) {
  RunAsync(deferred, [table, slots = std::move(slots), records = std::move(records)] {
    return WriteSlotRecords(*table.file, table.offset, slots, records);
  });
}

}  // namespace

Napi::Value ReadSlots(const Napi::CallbackInfo& info) {
  return Promising(info.Env(), [&](Napi::Promise::Deferred deferred) {
    const Table table = TableOf(info);
    const std::uint64_t count = ToNonNegative("slotCount", info[2]);
    if (count > kSlotCountMax) {
      ThrowInvalid("slotCount", "at most " + std::to_string(kSlotCountMax), info[2]);
    }
    RunAsync<SlotColumns>(
        deferred, [table, count] { return ReadSlotRecords(*table.file, table.offset, count); },
        RecordsOf);
  });
}

Napi::Value WriteSlots(const Napi::CallbackInfo& info) {
  return Promising(info.Env(), [&](Napi::Promise::Deferred deferred) {
    const Table table = TableOf(info);
    SlotColumns columns = ColumnsOf(info[2]);
    auto records = ValueOrThrow(info.Env(), EncodeSlotRecords(columns));
    Write(deferred, table, std::move(columns.slots), std::move(records));
  });
}

Napi::Value ClearSlots(const Napi::CallbackInfo& info) {
  return Promising(info.Env(), [&](Napi::Promise::Deferred deferred) {
    const Table table = TableOf(info);
    auto slots = CopyOf(ToWords("slots", info[2]));
    std::vector<std::byte> records(slots.size() * kSlotRecordBytes);
    Write(deferred, table, std::move(slots), std::move(records));
  });
}

}  // namespace kvbm::addon
