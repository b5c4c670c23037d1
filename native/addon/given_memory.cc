#include "given_memory.h"

#include <cstring>

namespace kvbm::addon {
namespace {

void Free(node_api_nogc_env, void*, void* owner) { delete static_cast<MemoryOwner*>(owner); }

Napi::ArrayBuffer CopyOf(Napi::Env env, std::span<const std::byte> bytes) {
  Napi::ArrayBuffer copy = Napi::ArrayBuffer::New(env, bytes.size());
  std::memcpy(copy.Data(), bytes.data(), bytes.size());
  return copy;
}

Napi::ArrayBuffer Give(Napi::Env env, std::unique_ptr<MemoryOwner> memory) {
  const std::span<std::byte> bytes = memory->Bytes();
  napi_value buffer = nullptr;
  const napi_status status = napi_create_external_arraybuffer(env, bytes.data(), bytes.size(), Free,
                                                              memory.get(), &buffer);
  if (status == napi_no_external_buffers_allowed) return CopyOf(env, bytes);
  if (status != napi_ok) throw Napi::Error::New(env);
  static_cast<void>(memory.release());
  return {env, buffer};
}

}  // namespace

GivenMemory::GivenMemory(Napi::Env env, std::unique_ptr<MemoryOwner> memory)
    : begin_(memory->Bytes().data()), buffer_(Give(env, std::move(memory))) {}

Napi::Value GivenMemory::Words(std::span<const std::uint32_t> part) const {
  const std::size_t offset = OffsetOf(part.data());
  return Napi::Uint32Array::New(buffer_.Env(), part.size(), buffer_, offset);
}

Napi::Value GivenMemory::Bytes(std::span<const std::uint8_t> part) const {
  const std::size_t offset = OffsetOf(part.data());
  return Napi::Uint8Array::New(buffer_.Env(), part.size(), buffer_, offset);
}

std::size_t GivenMemory::OffsetOf(const void* at) const {
  return static_cast<std::size_t>(static_cast<const std::byte*>(at) - begin_);
}

}  // namespace kvbm::addon
