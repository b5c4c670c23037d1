#ifndef KVBM_ADDON_WINDOW_CACHE_H_
#define KVBM_ADDON_WINDOW_CACHE_H_

#include <napi.h>

#include <cstdint>
#include <map>
#include <memory>

#include "kvbm/region_table.h"

namespace kvbm::addon {

/// The windows of one environment: ArrayBuffers over memory of the core. A window's memory stays
/// mapped until the window is detached.
class WindowCache {
 public:
  /// The same object each time. Throws where the runtime allows no such buffers.
  Napi::Value Window(Napi::Env env, const Region& region, std::uint64_t index);

  /// Detaches the windows of a region: their views become empty.
  void Detach(Napi::Env env, std::uint64_t region);

  /// Forgets all, when no JavaScript can run any more.
  void Clear() { windows_.clear(); }

 private:
  struct Windows {
    std::shared_ptr<Memory> memory;
    std::map<std::uint64_t, Napi::ObjectReference> by_index;
  };

  std::map<std::uint64_t, Windows> windows_;
};

}  // namespace kvbm::addon

#endif  // KVBM_ADDON_WINDOW_CACHE_H_
