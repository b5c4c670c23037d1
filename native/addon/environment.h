#ifndef KVBM_ADDON_ENVIRONMENT_H_
#define KVBM_ADDON_ENVIRONMENT_H_

#include <napi.h>

#include <cstdint>
#include <map>
#include <memory>
#include <set>

#include "completion_channel.h"
#include "engines.h"
#include "kvbm/file_lock.h"
#include "kvbm/region_table.h"
#include "window_cache.h"

namespace kvbm::addon {

/// What one JavaScript environment (the main thread's or a worker's) has of the core. All of it
/// ends with the environment.
class Environment {
 public:
  explicit Environment(Napi::Env env);
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  static Environment& Of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  CompletionChannel& channel() { return channel_; }
  Engines& engines() { return engines_; }
  WindowCache& windows() { return windows_; }
  Napi::FunctionReference& error_factory() { return error_factory_; }

  /// A region of this environment, which closes it at the latest when it ends.
  std::uint64_t Own(std::shared_ptr<Memory> memory);
  std::uint64_t Own(std::shared_ptr<File> file);
  void Close(Napi::Env env, double region);

  std::uint64_t Hold(std::unique_ptr<FileLock> lock);
  void Release(std::uint64_t lock) { locks_.erase(lock); }

 private:
  void Shutdown();

  CompletionChannel channel_;
  Engines engines_;
  WindowCache windows_;
  Napi::FunctionReference error_factory_;
  std::set<std::uint64_t> files_;
  /// Held here too: adopted memory must end on this thread, whoever closes its number.
  std::map<std::uint64_t, std::shared_ptr<Memory>> memories_;
  std::map<std::uint64_t, std::unique_ptr<FileLock>> locks_;
  std::uint64_t next_lock_ = 1;
};

}  // namespace kvbm::addon

#endif  // KVBM_ADDON_ENVIRONMENT_H_
