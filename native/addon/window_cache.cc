#include "window_cache.h"

#include <algorithm>
#include <span>

#include "errors.h"
#include "kvbm/windows.h"

namespace kvbm::addon {
namespace {

constexpr const char* kNoExternalBuffers =
    "This runtime allows no ArrayBuffers over native memory (Electron is such a one). Choose the "
    "portable core: KVBM_NATIVE=portable.";

std::span<std::byte> PartOf(std::span<std::byte> bytes, std::uint64_t index) {
  const std::uint64_t begin = index * kWindowStrideBytes;
  return bytes.subspan(begin, std::min<std::uint64_t>(bytes.size() - begin, kWindowBytesMax));
}

/// Memory outlives its windows by other means than a finalizer.
void Nothing(node_api_nogc_env, void*, void*) {}

Napi::Object NewWindow(Napi::Env env, std::span<std::byte> bytes) {
  napi_value buffer = nullptr;
  const napi_status status =
      napi_create_external_arraybuffer(env, bytes.data(), bytes.size(), Nothing, nullptr, &buffer);
  if (status == napi_no_external_buffers_allowed) {
    Throw(env, {StatusCode::kUnavailable, kNoExternalBuffers});
  }
  if (status != napi_ok) throw Napi::Error::New(env);
  return {env, buffer};
}

}  // namespace

Napi::Value WindowCache::Window(Napi::Env env, const Region& region, std::uint64_t index) {
  Windows& windows = windows_[region.id];
  const auto known = windows.by_index.find(index);
  if (known != windows.by_index.end()) return known->second.Value();
  const Napi::Object window = NewWindow(env, PartOf(region.memory->Bytes(), index));
  windows.memory = region.memory;
  windows.by_index.emplace(index, Napi::Persistent(window));
  return window;
}

void WindowCache::Detach(Napi::Env env, std::uint64_t region) {
  const auto found = windows_.find(region);
  if (found == windows_.end()) return;
  bool detached = true;
  for (const auto& [index, window] : found->second.by_index) {
    detached = napi_detach_arraybuffer(env, window.Value()) == napi_ok && detached;
  }
  // A buffer that cannot be detached must never dangle: then the memory stays.
  if (!detached) static_cast<void>(new std::shared_ptr<Memory>(found->second.memory));
  windows_.erase(found);
}

}  // namespace kvbm::addon
