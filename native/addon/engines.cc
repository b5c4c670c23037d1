#include "engines.h"

#include <utility>

#include "errors.h"
#include "kvbm/region_table.h"

namespace kvbm::addon {

/// The threads of an engine have nothing to do any more.
class Engines::Closed final : public Completion {
 public:
  Closed(Engines& engines, std::uint64_t id) : engines_(engines), id_(id) {}
  void Settle(Napi::Env env) noexcept override { engines_.Finish(env, id_); }

 private:
  Engines& engines_;
  const std::uint64_t id_;
};

std::uint64_t Engines::Add(std::unique_ptr<Engine> engine) {
  const std::uint64_t id = next_id_++;
  entries_[id].engine = std::move(engine);
  return id;
}

Engine& Engines::Get(Napi::Value id) {
  std::uint64_t number = 0;
  if (id.IsNumber() && ToOffset(id.As<Napi::Number>().DoubleValue(), number)) {
    const auto found = entries_.find(number);
    if (found != entries_.end()) return *found->second.engine;
  }
  ThrowInvalid("engine", "the number of an open engine", id);
}

void Engines::Close(Napi::Env env, double id, Napi::Promise::Deferred deferred) {
  std::uint64_t number = 0;
  const auto found = ToOffset(id, number) ? entries_.find(number) : entries_.end();
  if (found == entries_.end()) {
    deferred.Resolve(env.Undefined());
    return;
  }
  Entry& entry = found->second;
  entry.closers.push_back(deferred);
  if (entry.closers.size() > 1) return;
  channel_.Expect(env);
  entry.engine->Close([this, number] { channel_.Push(std::make_unique<Closed>(*this, number)); });
}

void Engines::Finish(Napi::Env env, std::uint64_t id) {
  const auto found = entries_.find(id);
  const Entry entry = std::move(found->second);
  entries_.erase(found);
  entry.engine->Join();
  for (const Napi::Promise::Deferred& deferred : entry.closers) {
    Settle(deferred, [&] { return env.Undefined(); });
  }
}

void Engines::Shutdown() {
  for (auto& [id, entry] : entries_) entry.engine->CancelQueued();
  // Each engine's end closes it, which waits for what is running.
  entries_.clear();
}

}  // namespace kvbm::addon
