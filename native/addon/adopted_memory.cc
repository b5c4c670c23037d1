#include "adopted_memory.h"

#include "arguments.h"

namespace kvbm::addon {

AdoptedMemory::AdoptedMemory(Napi::Object array)
    : thread_(std::this_thread::get_id()), array_(Napi::Persistent(array)) {}

AdoptedMemory::~AdoptedMemory() {
  // References die on their own thread. One that lost its way there ends with its environment.
  if (!OnOwnThread()) array_.SuppressDestruct();
}

/// Asked each time: the owner may have transferred the buffer away.
std::span<std::byte> AdoptedMemory::Bytes() const {
  if (!OnOwnThread()) return {};
  const Napi::HandleScope scope(array_.Env());
  return BytesNow(array_.Value());
}

}  // namespace kvbm::addon
