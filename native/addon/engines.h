#ifndef KVBM_ADDON_ENGINES_H_
#define KVBM_ADDON_ENGINES_H_

#include <napi.h>

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "completion_channel.h"
#include "kvbm/engine.h"

namespace kvbm::addon {

/// The engines of one environment, by number.
class Engines {
 public:
  explicit Engines(CompletionChannel& channel) : channel_(channel) {}

  std::uint64_t Add(std::unique_ptr<Engine> engine);

  /// Throws `RangeError` for numbers that are no open engine's.
  Engine& Get(Napi::Value id);

  /// Resolves when the last job was settled and the threads have ended.
  void Close(Napi::Env env, double id, Napi::Promise::Deferred deferred);

  /// At the end of the environment: cancels what is queued, waits for what runs.
  void Shutdown();

 private:
  struct Entry {
    std::unique_ptr<Engine> engine;
    /// Those who wait for the end; not empty when it is closing.
    std::vector<Napi::Promise::Deferred> closers;
  };
  class Closed;

  void Finish(Napi::Env env, std::uint64_t id);

  CompletionChannel& channel_;
  std::map<std::uint64_t, Entry> entries_;
  std::uint64_t next_id_ = 1;
};

}  // namespace kvbm::addon

#endif  // KVBM_ADDON_ENGINES_H_
