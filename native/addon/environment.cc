#include "environment.h"

#include <utility>

namespace kvbm::addon {

Environment::Environment(Napi::Env env) : channel_(env), engines_(channel_) {
  // After the channel's own hook, so that this one runs before it: hooks run last in, first out.
  env.AddCleanupHook([this] { Shutdown(); });
}

std::uint64_t Environment::Own(std::shared_ptr<Memory> memory) {
  const std::uint64_t id = RegionTable::Process().Add(memory);
  memories_.emplace(id, std::move(memory));
  return id;
}

std::uint64_t Environment::Own(std::shared_ptr<File> file) {
  return *files_.insert(RegionTable::Process().Add(std::move(file))).first;
}

void Environment::Close(Napi::Env env, double region) {
  std::uint64_t id = 0;
  if (!ToOffset(region, id)) return;
  RegionTable::Process().Close(region);
  windows_.Detach(env, id);
  memories_.erase(id);
  files_.erase(id);
}

std::uint64_t Environment::Hold(std::unique_ptr<FileLock> lock) {
  locks_.emplace(next_lock_, std::move(lock));
  return next_lock_++;
}

/// No JavaScript runs any more. First those who use memory, then memory.
void Environment::Shutdown() {
  engines_.Shutdown();
  channel_.Shutdown();
  windows_.Clear();
  error_factory_.Reset();
  RegionTable& table = RegionTable::Process();
  for (const std::uint64_t id : files_) table.Close(static_cast<double>(id));
  for (const auto& [id, memory] : memories_) table.Close(static_cast<double>(id));
  memories_.clear();
  locks_.clear();
}

}  // namespace kvbm::addon
