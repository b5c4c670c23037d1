#ifndef KVBM_ADDON_GIVEN_MEMORY_H_
#define KVBM_ADDON_GIVEN_MEMORY_H_

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "kvbm/memory.h"

namespace kvbm::addon {

/// Memory that JavaScript has from now on, as one ArrayBuffer: freed when nobody has a view of it
/// any more. Its parts are copied where the runtime has no ArrayBuffer over native memory as long.
class GivenMemory {
 public:
  GivenMemory(Napi::Env env, std::unique_ptr<MemoryOwner> memory);

  /// Views of parts of the memory.
  Napi::Value Words(std::span<const std::uint32_t> part) const;
  Napi::Value Bytes(std::span<const std::uint8_t> part) const;

 private:
  std::size_t OffsetOf(const void* at) const;

  const Napi::Env env_;
  const std::shared_ptr<MemoryOwner> memory_;
  const Napi::ArrayBuffer buffer_;
};

}  // namespace kvbm::addon

#endif  // KVBM_ADDON_GIVEN_MEMORY_H_
