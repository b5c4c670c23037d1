#include <algorithm>
#include <utility>
#include <vector>

#include "arguments.h"
#include "async_call.h"
#include "calls.h"
#include "environment.h"
#include "errors.h"
#include "kvbm/windows.h"

namespace kvbm::addon {
namespace {

struct Opened {
  std::shared_ptr<File> file;
  std::uint64_t size_bytes = 0;
};

Result<Opened> OpenWithSize(const FileOptions& options) {
  KVBM_ASSIGN_OR_RETURN(std::shared_ptr<File> file, File::Open(options));
  KVBM_ASSIGN_OR_RETURN(const std::uint64_t size_bytes, file->Size());
  return Opened{std::move(file), size_bytes};
}

Napi::Value FileRegionOf(Napi::Env env, const Opened& opened) {
  const Napi::Object region = Napi::Object::New(env);
  region.Set("id", static_cast<double>(Environment::Of(env).Own(opened.file)));
  region.Set("sizeBytes", static_cast<double>(opened.size_bytes));
  region.Set("direct", opened.file->direct());
  region.Set("alignment", static_cast<double>(opened.file->alignment()));
  region.Set("note", opened.file->note());
  return region;
}

FileOptions OptionsOf(Napi::Value value) {
  const Napi::Object options = ToObject("options", value);
  return {.path = ToText("options.path", options.Get("path")),
          .write = ToFlag(options.Get("write")),
          .create = ToFlag(options.Get("create")),
          .exclusive = ToFlag(options.Get("exclusive")),
          .direct = ToFlag(options.Get("direct"))};
}

/// A range of the file that the first argument names.
struct FileRange {
  std::shared_ptr<File> file;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

FileRange RangeOf(const Napi::CallbackInfo& info, const char* name, double length) {
  const double offset = ToNumber("offset", info[1]);
  const Region region =
      ValueOrThrow(info.Env(), RegionTable::Process().FindFile(ToNumber("region", info[0])));
  ThrowUnlessOk(info.Env(), CheckRange(name, region, offset, length));
  return {region.file, static_cast<std::uint64_t>(offset), static_cast<std::uint64_t>(length)};
}

Napi::Value NameOf(Napi::Env env, Reservation reservation) {
  switch (reservation) {
    case Reservation::kAllocated:
      return Napi::String::New(env, "allocated");
    case Reservation::kZeroFilled:
      return Napi::String::New(env, "zero-filled");
    default:
      return Napi::String::New(env, "sparse");
  }
}

/// Asks for no more memory than the file has bytes there.
Result<std::vector<std::byte>> ReadRange(const FileRange& range) {
  KVBM_ASSIGN_OR_RETURN(const std::uint64_t size, range.file->Size());
  const std::uint64_t there = size - std::min(size, range.offset);
  std::vector<std::byte> bytes(std::min(range.length, there));
  KVBM_ASSIGN_OR_RETURN(const std::size_t length, range.file->Read(bytes, range.offset));
  bytes.resize(length);
  return bytes;
}

Napi::Value LockHandleOf(Napi::Env env, std::unique_ptr<FileLock> lock) {
  if (lock == nullptr) return env.Undefined();
  const std::uint64_t id = Environment::Of(env).Hold(std::move(lock));
  const Napi::Object handle = Napi::Object::New(env);
  handle.Set(
      "release",
      Napi::Function::New(
          env, [id](const Napi::CallbackInfo& info) { Environment::Of(info.Env()).Release(id); },
          "release"));
  return handle;
}

}  // namespace

Napi::Value OpenFile(const Napi::CallbackInfo& info) {
  return Promising(info.Env(), [&](Napi::Promise::Deferred deferred) {
    RunAsync<Opened>(
        deferred, [options = OptionsOf(info[0])] { return OpenWithSize(options); }, FileRegionOf);
  });
}

Napi::Value ReserveFile(const Napi::CallbackInfo& info) {
  return Promising(info.Env(), [&](Napi::Promise::Deferred deferred) {
    const FileRange range = RangeOf(info, "reserveFile", ToNumber("length", info[2]));
    RunAsync<Reservation>(
        deferred, [range] { return range.file->Reserve(range.offset, range.length); }, NameOf);
  });
}

Napi::Value ReadFile(const Napi::CallbackInfo& info) {
  return Promising(info.Env(), [&](Napi::Promise::Deferred deferred) {
    const FileRange range = RangeOf(info, "readFile", ToNumber("length", info[2]));
    if (range.length > kNodeBufferMax) {
      ThrowInvalid("length", "at most " + std::to_string(kNodeBufferMax) + " bytes", info[2]);
    }
    RunAsync<std::vector<std::byte>>(
        deferred, [range] { return ReadRange(range); },
        [](Napi::Env env, const std::vector<std::byte>& bytes) { return BytesOf(env, bytes); });
  });
}

Napi::Value WriteFile(const Napi::CallbackInfo& info) {
  return Promising(info.Env(), [&](Napi::Promise::Deferred deferred) {
    const std::span<std::byte> bytes = ToBytes("bytes", info[2]);
    const FileRange range = RangeOf(info, "writeFile", static_cast<double>(bytes.size()));
    RunAsync(deferred,
             [range, copy = CopyOf(bytes)] { return range.file->Write(copy, range.offset); });
  });
}

Napi::Value SyncFile(const Napi::CallbackInfo& info) {
  return Promising(info.Env(), [&](Napi::Promise::Deferred deferred) {
    const Region region =
        ValueOrThrow(info.Env(), RegionTable::Process().FindFile(ToNumber("region", info[0])));
    RunAsync(deferred, [file = region.file] { return file->Sync(); });
  });
}

Napi::Value LockFile(const Napi::CallbackInfo& info) {
  return Promising(info.Env(), [&](Napi::Promise::Deferred deferred) {
    RunAsync<std::unique_ptr<FileLock>>(
        deferred, [path = ToText("path", info[0])] { return FileLock::TryLock(path); },
        LockHandleOf);
  });
}

}  // namespace kvbm::addon
