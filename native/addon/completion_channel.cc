#include "completion_channel.h"

#include <utility>

namespace kvbm::addon {

CompletionChannel::CompletionChannel(Napi::Env env)
    : notifier_(Notifier::New(env, "kvbm completions", 0, 1, this)) {
  notifier_.Unref(env);
}

void CompletionChannel::Expect(Napi::Env env) {
  if (expected_++ == 0) notifier_.Ref(env);
}

void CompletionChannel::Push(std::unique_ptr<Completion> completion) {
  {
    const MutexLock lock(mutex_);
    ended_.push_back(std::move(completion));
    if (std::exchange(notified_, true)) return;
  }
  notifier_.NonBlockingCall();
}

void CompletionChannel::Shutdown() {
  Take().clear();
  notifier_.Release();
}

void CompletionChannel::OnNotified(Napi::Env env, Napi::Function, CompletionChannel* channel,
                                   void*) {
  // Without an environment the process is ending; Shutdown has taken everything by then.
  if (static_cast<napi_env>(env) != nullptr) channel->SettleAll(env);
}

std::vector<std::unique_ptr<Completion>> CompletionChannel::Take() {
  const MutexLock lock(mutex_);
  notified_ = false;
  return std::exchange(ended_, {});
}

void CompletionChannel::SettleAll(Napi::Env env) {
  const auto ended = Take();
  expected_ -= ended.size();
  if (expected_ == 0) notifier_.Unref(env);
  for (const std::unique_ptr<Completion>& completion : ended) {
    const Napi::HandleScope scope(env);
    completion->Settle(env);
  }
}

}  // namespace kvbm::addon
