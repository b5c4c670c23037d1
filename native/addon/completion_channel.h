#ifndef KVBM_ADDON_COMPLETION_CHANNEL_H_
#define KVBM_ADDON_COMPLETION_CHANNEL_H_

#include <napi.h>

#include <memory>
#include <vector>

#include "kvbm/mutex.h"

namespace kvbm::addon {

/// Something that ended on another thread and is settled on the JavaScript thread.
class Completion {
 public:
  virtual ~Completion() = default;
  virtual void Settle(Napi::Env env) noexcept = 0;
};

/// The one way from the core's threads into an environment. Keeps the process alive while
/// something is in flight, and only then.
class CompletionChannel {
 public:
  explicit CompletionChannel(Napi::Env env);
  CompletionChannel(const CompletionChannel&) = delete;
  CompletionChannel& operator=(const CompletionChannel&) = delete;

  /// On the JavaScript thread: one more will be pushed.
  void Expect(Napi::Env env);
  /// On any thread.
  void Push(std::unique_ptr<Completion> completion);
  /// On the JavaScript thread, when nobody pushes any more: what is left is dropped unsettled.
  void Shutdown();

 private:
  static void OnNotified(Napi::Env env, Napi::Function, CompletionChannel* channel, void*);
  using Notifier = Napi::TypedThreadSafeFunction<CompletionChannel, void, &OnNotified>;

  std::vector<std::unique_ptr<Completion>> Take();
  void SettleAll(Napi::Env env);

  Notifier notifier_;
  /// On the JavaScript thread only.
  std::size_t expected_ = 0;
  Mutex mutex_;
  std::vector<std::unique_ptr<Completion>> ended_ KVBM_GUARDED_BY(mutex_);
  bool notified_ KVBM_GUARDED_BY(mutex_) = false;
};

}  // namespace kvbm::addon

#endif  // KVBM_ADDON_COMPLETION_CHANNEL_H_
