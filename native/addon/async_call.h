#ifndef KVBM_ADDON_ASYNC_CALL_H_
#define KVBM_ADDON_ASYNC_CALL_H_

#include <napi.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "errors.h"
#include "kvbm/status.h"

namespace kvbm::addon {

/// A rare call of the operating system, on a thread of libuv. Deletes itself.
template <typename T>
class AsyncCall final : public Napi::AsyncWorker {
 public:
  using Work = std::function<Result<T>()>;
  using Wrap = std::function<Napi::Value(Napi::Env, T)>;

  AsyncCall(Napi::Promise::Deferred deferred, Work work, Wrap wrap)
      : Napi::AsyncWorker(deferred.Env(), "kvbm call"),
        deferred_(deferred),
        work_(std::move(work)),
        wrap_(std::move(wrap)) {}

 protected:
  void Execute() override { result_.emplace(work_()); }

  void OnOK() override {
    Settle(deferred_, [&] { return wrap_(Env(), ValueOrThrow(Env(), std::move(*result_))); });
  }

  void OnError(const Napi::Error& error) override {
    Settle(deferred_, [&]() -> Napi::Value { throw error; });
  }

 private:
  const Napi::Promise::Deferred deferred_;
  const Work work_;
  const Wrap wrap_;
  std::optional<Result<T>> result_;
};

template <typename T>
void RunAsync(Napi::Promise::Deferred deferred, std::function<Result<T>()> work,
              std::function<Napi::Value(Napi::Env, T)> wrap) {
  (new AsyncCall<T>(deferred, std::move(work), std::move(wrap)))->Queue();
}

/// For calls that give nothing but their success.
inline void RunAsync(Napi::Promise::Deferred deferred, std::function<Status()> work) {
  RunAsync<std::monostate>(
      deferred,
      [work = std::move(work)]() -> Result<std::monostate> {
        KVBM_RETURN_IF_ERROR(work());
        return std::monostate();
      },
      [](Napi::Env env, std::monostate) { return env.Undefined(); });
}

}  // namespace kvbm::addon

#endif  // KVBM_ADDON_ASYNC_CALL_H_
