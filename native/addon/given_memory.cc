#include "given_memory.h"

#include "arguments.h"

namespace kvbm::addon {
namespace {

using Share = std::shared_ptr<MemoryOwner>;

void Free(node_api_nogc_env, void*, void* share) { delete static_cast<Share*>(share); }

/// Empty where the runtime has no ArrayBuffers over native memory, or none as long.
Napi::ArrayBuffer Give(Napi::Env env, const Share& memory) {
  const std::span<std::byte> bytes = memory->Bytes();
  auto* const share = new Share(memory);
  napi_value buffer = nullptr;
  const napi_status status = napi_create_external_arraybuffer(env, bytes.data(), bytes.size(), Free,
                                                              share, &buffer);
  if (status == napi_ok) return {env, buffer};
  // Node.js frees what is too long for it before it says so, but not what it does not allow at all.
  if (memory.use_count() > 1) delete share;
  if (env.IsExceptionPending()) env.GetAndClearPendingException();
  return {};
}

}  // namespace

GivenMemory::GivenMemory(Napi::Env env, std::unique_ptr<MemoryOwner> memory)
    : env_(env), memory_(std::move(memory)), buffer_(Give(env, memory_)) {}

Napi::Value GivenMemory::Words(std::span<const std::uint32_t> part) const {
  if (buffer_.IsEmpty()) return WordsOf(env_, part);
  return Napi::Uint32Array::New(env_, part.size(), buffer_, OffsetOf(part.data()));
}

Napi::Value GivenMemory::Bytes(std::span<const std::uint8_t> part) const {
  if (buffer_.IsEmpty()) return BytesOf(env_, std::as_bytes(part));
  return Napi::Uint8Array::New(env_, part.size(), buffer_, OffsetOf(part.data()));
}

std::size_t GivenMemory::OffsetOf(const void* at) const {
  return static_cast<std::size_t>(static_cast<const std::byte*>(at) - memory_->Bytes().data());
}

}  // namespace kvbm::addon
