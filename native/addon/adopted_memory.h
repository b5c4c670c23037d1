#ifndef KVBM_ADDON_ADOPTED_MEMORY_H_
#define KVBM_ADDON_ADOPTED_MEMORY_H_

#include <napi.h>

#include <span>
#include <thread>

#include "kvbm/memory.h"

namespace kvbm::addon {

/// Bytes of a Uint8Array, which it keeps alive. Has bytes on the thread of its environment only.
class AdoptedMemory final : public MemoryOwner {
 public:
  explicit AdoptedMemory(Napi::Object array);
  ~AdoptedMemory() override;
  AdoptedMemory(const AdoptedMemory&) = delete;
  AdoptedMemory& operator=(const AdoptedMemory&) = delete;

  std::span<std::byte> Bytes() const override;
  bool IsLasting() const override { return false; }

 private:
  bool OnOwnThread() const { return std::this_thread::get_id() == thread_; }

  const std::thread::id thread_;
  Napi::ObjectReference array_;
};

}  // namespace kvbm::addon

#endif  // KVBM_ADDON_ADOPTED_MEMORY_H_
