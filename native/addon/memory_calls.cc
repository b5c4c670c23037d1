#include "adopted_memory.h"
#include "arguments.h"
#include "async_call.h"
#include "calls.h"
#include "environment.h"
#include "errors.h"
#include "kvbm/windows.h"

namespace kvbm::addon {
namespace {

Napi::Object MemoryRegionOf(Napi::Env env, std::uint64_t id, std::uint64_t size_bytes) {
  const Napi::Object region = Napi::Object::New(env);
  region.Set("id", static_cast<double>(id));
  region.Set("sizeBytes", static_cast<double>(size_bytes));
  return region;
}

Region MemoryRegion(const Napi::CallbackInfo& info) {
  return ValueOrThrow(info.Env(), RegionTable::Process().FindMemory(ToNumber("region", info[0])));
}

/// A buffer that may be resized may also move.
void RefuseResizable(Napi::Object array) {
  const Napi::Object buffer = array.Get("buffer").As<Napi::Object>();
  if (!ToFlag(buffer.Get("resizable")) && !ToFlag(buffer.Get("growable"))) return;
  throw Napi::TypeError::New(
      array.Env(), "bytes: expected a buffer of fixed size, because a resizable one may move");
}

const char* NameOf(LockKind kind) {
  switch (kind) {
    case LockKind::kCuda:
      return "cuda";
    case LockKind::kOs:
      return "os";
    case LockKind::kTouched:
      return "touched";
    default:
      return "no";
  }
}

Napi::Value OutcomeOf(Napi::Env env, const CommitOutcome& outcome) {
  const Napi::Object result = Napi::Object::New(env);
  result.Set("locked", NameOf(outcome.locked));
  result.Set("hugePages", outcome.huge_pages);
  if (outcome.huge_bytes.has_value()) {
    result.Set("hugeBytes", static_cast<double>(*outcome.huge_bytes));
  }
  result.Set("note", outcome.note);
  return result;
}

std::uint64_t WindowCount(const Region& region) {
  return (region.memory->Bytes().size() + kWindowStrideBytes - 1) / kWindowStrideBytes;
}

}  // namespace

Napi::Value CreateMemory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::uint64_t size_bytes = ToPositive("sizeBytes", info[0]);
  auto owner = ValueOrThrow(env, MapMemory(size_bytes));
  const auto id = Environment::Of(env).Own(std::make_shared<Memory>(std::move(owner)));
  return MemoryRegionOf(env, id, size_bytes);
}

Napi::Value AdoptMemory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::size_t size_bytes = ToBytes("bytes", info[0]).size();
  const auto array = info[0].As<Napi::Object>();
  RefuseResizable(array);
  const auto memory = std::make_shared<Memory>(std::make_unique<AdoptedMemory>(array));
  return MemoryRegionOf(env, Environment::Of(env).Own(memory), size_bytes);
}

Napi::Value CommitMemory(const Napi::CallbackInfo& info) {
  return Promising(info.Env(), [&](Napi::Promise::Deferred deferred) {
    const Region region = MemoryRegion(info);
    if (!region.memory->IsLasting()) {
      throw Napi::RangeError::New(
          info.Env(),
          "Adopted memory and mapped files cannot be committed: they are real already.");
    }
    const double offset = ToNumber("offset", info[1]);
    const double length = ToNumber("length", info[2]);
    ThrowUnlessOk(info.Env(), CheckRange("commitMemory", region, offset, length));
    RunAsync<CommitOutcome>(
        deferred,
        [memory = region.memory, begin = static_cast<std::uint64_t>(offset),
         size = static_cast<std::uint64_t>(length), lock = ToFlag(info[3])] {
          return Result<CommitOutcome>(memory->Commit(begin, size, lock));
        },
        OutcomeOf);
  });
}

Napi::Value MapFile(const Napi::CallbackInfo& info) {
  return Promising(info.Env(), [&](Napi::Promise::Deferred deferred) {
    const Region region =
        ValueOrThrow(info.Env(), RegionTable::Process().FindFile(ToNumber("region", info[0])));
    const std::uint64_t size_bytes = ToPositive("length", info[1]);
    RunAsync<std::unique_ptr<MemoryOwner>>(
        deferred, [file = region.file, size_bytes] { return kvbm::MapFile(file, size_bytes); },
        [size_bytes](Napi::Env env, std::unique_ptr<MemoryOwner> owner) -> Napi::Value {
          if (owner == nullptr) return env.Undefined();
          const auto memory = std::make_shared<Memory>(std::move(owner));
          return MemoryRegionOf(env, Environment::Of(env).Own(memory), size_bytes);
        });
  });
}

Napi::Value AlignmentOffset(const Napi::CallbackInfo& info) {
  const Region region = MemoryRegion(info);
  const std::uint64_t alignment = ToPositive("alignment", info[1]);
  return Napi::Number::New(info.Env(),
                           static_cast<double>(region.memory->AlignmentOffset(alignment)));
}

Napi::Value WindowOf(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Region region = MemoryRegion(info);
  if (!region.memory->IsLasting()) {
    throw Napi::RangeError::New(
        env, "Adopted memory and mapped files have no windows: use the array or file behind them.");
  }
  const std::uint64_t count = WindowCount(region);
  std::uint64_t index = 0;
  if (!ToOffset(ToNumber("index", info[1]), index) || index >= count) {
    ThrowInvalid("index", "a window of 0 to " + std::to_string(count - 1), info[1]);
  }
  return Environment::Of(env).windows().Window(env, region, index);
}

Napi::Value CloseRegion(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info[0].IsNumber()) Environment::Of(env).Close(env, info[0].As<Napi::Number>());
  return env.Undefined();
}

}  // namespace kvbm::addon
