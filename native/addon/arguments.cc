#include "arguments.h"

#include <cstring>
#include <limits>

#include "errors.h"
#include "kvbm/region_table.h"

namespace kvbm::addon {
namespace {

[[noreturn]] void ThrowType(Napi::Env env, const char* name, const char* expected) {
  throw Napi::TypeError::New(env, std::string(name) + ": expected " + expected);
}

/// A typed array as it is now. A detached one has no elements.
template <typename T>
struct Elements {
  napi_typedarray_type type = napi_int8_array;
  std::span<T> span;
  napi_value buffer = nullptr;
};

template <typename T>
Elements<T> ElementsOf(Napi::Value array) {
  Elements<T> elements;
  std::size_t length = 0;
  void* data = nullptr;
  const napi_status status = napi_get_typedarray_info(
      array.Env(), array, &elements.type, &length, &data, &elements.buffer, nullptr);
  if (status != napi_ok) throw Napi::Error::New(array.Env());
  elements.span = {static_cast<T*>(data), length};
  return elements;
}

bool IsDetached(Napi::Env env, napi_value buffer) {
  bool detached = false;
  return napi_is_detached_arraybuffer(env, buffer, &detached) == napi_ok && detached;
}

template <typename T>
std::span<T> Checked(const char* name, Napi::Value value, napi_typedarray_type type,
                     const char* expected) {
  if (!value.IsTypedArray()) ThrowType(value.Env(), name, expected);
  const Elements<T> elements = ElementsOf<T>(value);
  if (elements.type != type) ThrowType(value.Env(), name, expected);
  if (elements.span.empty() && IsDetached(value.Env(), elements.buffer)) {
    throw Napi::TypeError::New(value.Env(),
                               std::string(name) + ": its buffer was transferred away");
  }
  return elements.span;
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

std::uint32_t ToWord(const char* name, Napi::Value value) {
  constexpr std::uint32_t kMax = std::numeric_limits<std::uint32_t>::max();
  std::uint64_t number = 0;
  const bool whole = value.IsNumber() && ToOffset(value.As<Napi::Number>().DoubleValue(), number);
  if (whole && number <= kMax) return static_cast<std::uint32_t>(number);
  ThrowInvalid(name, "an integer of 0 to " + std::to_string(kMax), value);
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
  return Checked<std::byte>(name, value, napi_uint8_array, "a Uint8Array");
}

std::span<std::uint32_t> ToWords(const char* name, Napi::Value value) {
  return Checked<std::uint32_t>(name, value, napi_uint32_array, "a Uint32Array");
}

std::span<double> ToDoubles(const char* name, Napi::Value value) {
  return Checked<double>(name, value, napi_float64_array, "a Float64Array");
}

std::span<std::byte> BytesNow(Napi::Object array) { return ElementsOf<std::byte>(array).span; }

std::span<std::uint32_t> WordsNow(Napi::Object array) {
  return ElementsOf<std::uint32_t>(array).span;
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
