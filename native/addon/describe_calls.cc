

#include "calls.h"
#include "environment.h"
#include "kvbm/crc32c.h"
#include "kvbm/memory.h"
#include "kvbm/sha256.h"

namespace kvbm::addon {
namespace {

constexpr const char* kNoSha256 =
    "the OpenSSL of this process cannot be used directly: SHA-256 goes through node:crypto";
constexpr const char* kNoPageLock =
    "the limit on locked memory is 0: pinned memory is touched only";

Napi::Array NotesOf(Napi::Env env) {
  const Napi::Array notes = Napi::Array::New(env);
  if (ProcessSha256() == nullptr) notes.Set(notes.Length(), kNoSha256);
  if (!CanLockPages()) notes.Set(notes.Length(), kNoPageLock);
  return notes;
}

}  // namespace

Napi::Value SetErrorFactory(const Napi::CallbackInfo& info) {
  if (!info[0].IsFunction()) throw Napi::TypeError::New(info.Env(), "make: expected a function");
  Environment::Of(info.Env()).error_factory() = Napi::Persistent(info[0].As<Napi::Function>());
  return info.Env().Undefined();
}

Napi::Value Describe(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Object description = Napi::Object::New(env);
  description.Set("kind", "native");
  description.Set("abi", kAbiVersion);
  description.Set("sha256", ProcessSha256() == nullptr ? "node-crypto" : ProcessSha256()->kind());
  description.Set("crc32c", Crc32cKind());
  description.Set("directIo", true);
  description.Set("pageLocking", CanLockPages());
  description.Set("notes", NotesOf(env));
  return description;
}

}  // namespace kvbm::addon
