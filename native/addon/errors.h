#ifndef KVBM_ADDON_ERRORS_H_
#define KVBM_ADDON_ERRORS_H_

#include <napi.h>

#include <string>

#include "kvbm/status.h"

namespace kvbm::addon {

/// `RangeError` for a caller's mistake, else what the registered factory makes of the code.
Napi::Value ErrorOf(Napi::Env env, const Status& status);

[[noreturn]] void Throw(Napi::Env env, const Status& status);
void ThrowUnlessOk(Napi::Env env, const Status& status);

template <typename T>
T ValueOrThrow(Napi::Env env, Result<T> result) {
  if (!result.ok()) Throw(env, result.status());
  return std::move(result.value());
}

/// `name: expected …, got … (type)`.
[[noreturn]] void ThrowInvalid(const std::string& name, const std::string& expected,
                               Napi::Value actual);

/// Resolves with what `value` gives; rejects with what it throws. In an environment that is being
/// terminated neither works, and nobody listens any more.
template <typename Value>
void Settle(Napi::Promise::Deferred deferred, Value value) noexcept {
  try {
    try {
      deferred.Resolve(value());
    } catch (const Napi::Error& error) {
      deferred.Reject(error.Value());
    }
  } catch (const Napi::Error&) {
    // See above.
  }
}

/// Calls `start` with a promise's other end. What it throws rejects the promise.
template <typename Start>
Napi::Value Promising(Napi::Env env, Start start) {
  const auto deferred = Napi::Promise::Deferred::New(env);
  try {
    start(deferred);
  } catch (const Napi::Error& error) {
    deferred.Reject(error.Value());
  } catch (const std::exception& error) {
    deferred.Reject(Napi::Error::New(env, error.what()).Value());
  }
  return deferred.Promise();
}

}  // namespace kvbm::addon

#endif  // KVBM_ADDON_ERRORS_H_
