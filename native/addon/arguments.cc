#include "arguments.h"

#include <cstring>

#include "errors.h"
#include "kvbm/region_table.h"

namespace kvbm::addon {
namespace {

[[noreturn]] void ThrowType(Napi::Env env, const char* name, const char* expected) {
  throw Napi::TypeError::New(env, std::string(name) + ": expected " + expected);
}

template <typename T>
std::span<T> Elements(const char* name, Napi::Value value, napi_typedarray_type type,
                      const char* expected) {
  Napi::Env env = value.Env();
  if (!value.IsTypedArray()) ThrowType(env, name, expected);
  napi_typedarray_type actual;
  std::size_t length = 0;
  void* data = nullptr;
  const napi_status status =
      napi_get_typedarray_info(env, value, &actual, &length, &data, nullptr, nullptr);
  if (status != napi_ok || actual != type) ThrowType(env, name, expected);
  return {static_cast<T*>(data), length};
}

template <typename Array, typename T>
Array NewArray(Napi::Env env, std::span<const T> elements) {
  const Array array = Array::New(env, elements.size());
  if (!elements.empty()) {
    std::memcpy(static_cast<Array>(array).Data(), elements.data(), elements.size_bytes());
  }
  return array;
}

}  // namespace

double ToNumber(const char* name, Napi::Value value) {
  if (!value.IsNumber()) ThrowInvalid(name, "a number", value);
  return value.As<Napi::Number>().DoubleValue();
}

std::uint64_t ToNonNegative(const char* name, Napi::Value value) {
  std::uint64_t number = 0;
  if (value.IsNumber() && ToOffset(value.As<Napi::Number>().DoubleValue(), number)) return number;
  ThrowInvalid(name, "an integer of 0 or more", value);
}

std::uint64_t ToPositive(const char* name, Napi::Value value) {
  std::uint64_t number = 0;
  const bool whole = value.IsNumber() && ToOffset(value.As<Napi::Number>().DoubleValue(), number);
  if (whole && number > 0) return number;
  ThrowInvalid(name, "a positive integer", value);
}

std::string ToText(const char* name, Napi::Value value) {
  if (!value.IsString()) ThrowType(value.Env(), name, "a string");
  return value.As<Napi::String>();
}

Napi::Object ToObject(const char* name, Napi::Value value) {
  if (!value.IsObject()) ThrowType(value.Env(), name, "an object");
  return value.As<Napi::Object>();
}

bool ToFlag(Napi::Value value) { return value.ToBoolean(); }

std::span<std::byte> ToBytes(const char* name, Napi::Value value) {
  return Elements<std::byte>(name, value, napi_uint8_array, "a Uint8Array");
}

std::span<std::uint32_t> ToWords(const char* name, Napi::Value value) {
  return Elements<std::uint32_t>(name, value, napi_uint32_array, "a Uint32Array");
}

std::span<double> ToDoubles(const char* name, Napi::Value value) {
  return Elements<double>(name, value, napi_float64_array, "a Float64Array");
}

Napi::Uint32Array WordsOf(Napi::Env env, std::span<const std::uint32_t> words) {
  return NewArray<Napi::Uint32Array>(env, words);
}

Napi::Float64Array DoublesOf(Napi::Env env, std::span<const double> numbers) {
  return NewArray<Napi::Float64Array>(env, numbers);
}

Napi::Uint8Array BytesOf(Napi::Env env, std::span<const std::byte> bytes) {
  return NewArray<Napi::Uint8Array>(env, bytes);
}

}  // namespace kvbm::addon
