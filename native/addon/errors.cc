#include "errors.h"

#include "environment.h"

namespace kvbm::addon {
namespace {

const char* CodeOf(StatusCode code) {
  switch (code) {
    case StatusCode::kStorageFull:
      return "KVBM_STORAGE_FULL";
    case StatusCode::kCancelled:
      return "KVBM_CANCELLED";
    case StatusCode::kUnavailable:
      return "KVBM_NATIVE_UNAVAILABLE";
    default:
      return "KVBM_STORAGE_IO";
  }
}

/// `'text' (string)`, `7 (number)`.
std::string Describe(Napi::Value value) {
  Napi::Env env = value.Env();
  napi_value text = nullptr;
  if (value.IsSymbol() || napi_coerce_to_string(env, value, &text) != napi_ok) {
    if (env.IsExceptionPending()) env.GetAndClearPendingException();
    return "a value without text";
  }
  const std::string shown = Napi::String(env, text);
  if (value.IsString()) return "'" + shown + "' (string)";
  if (value.IsNumber()) return shown + " (number)";
  if (value.IsBigInt()) return shown + " (bigint)";
  if (value.IsBoolean()) return shown + " (boolean)";
  if (value.IsUndefined()) return shown + " (undefined)";
  return shown + (value.IsFunction() ? " (function)" : " (object)");
}

Napi::Value WithoutFactory(Napi::Env env, const Status& status) {
  const Napi::Error error = Napi::Error::New(env, status.message());
  error.Set("code", CodeOf(status.code()));
  error.Set("errno", static_cast<double>(status.system_error()));
  return error.Value();
}

}  // namespace

Napi::Value ErrorOf(Napi::Env env, const Status& status) {
  if (status.code() == StatusCode::kInvalidArgument) {
    return Napi::RangeError::New(env, status.message()).Value();
  }
  const Napi::FunctionReference& factory = Environment::Of(env).error_factory();
  if (factory.IsEmpty()) return WithoutFactory(env, status);
  return factory.Call({Napi::String::New(env, CodeOf(status.code())),
                       Napi::String::New(env, status.message()),
                       Napi::Number::New(env, status.system_error())});
}

void Throw(Napi::Env env, const Status& status) { throw Napi::Error(env, ErrorOf(env, status)); }

void ThrowUnlessOk(Napi::Env env, const Status& status) {
  if (!status.ok()) Throw(env, status);
}

void ThrowInvalid(const std::string& name, const std::string& expected, Napi::Value actual) {
  throw Napi::RangeError::New(actual.Env(),
                              name + ": expected " + expected + ", got " + Describe(actual));
}

}  // namespace kvbm::addon
