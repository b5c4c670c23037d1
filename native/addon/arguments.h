#ifndef KVBM_ADDON_ARGUMENTS_H_
#define KVBM_ADDON_ARGUMENTS_H_

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace kvbm::addon {

/// Numbers throw `RangeError`, things of another kind `TypeError`; both name the argument.
double ToNumber(const char* name, Napi::Value value);
std::uint64_t ToNonNegative(const char* name, Napi::Value value);
std::uint64_t ToPositive(const char* name, Napi::Value value);
/// An integer of 32 bits without a sign.
std::uint32_t ToWord(const char* name, Napi::Value value);
std::string ToText(const char* name, Napi::Value value);
Napi::Object ToObject(const char* name, Napi::Value value);
bool ToFlag(Napi::Value value);

/// Elements of a typed array of exactly this type, valid while its buffer is. `TypeError` when the
/// buffer was transferred away.
std::span<std::byte> ToBytes(const char* name, Napi::Value value);
std::span<std::uint32_t> ToWords(const char* name, Napi::Value value);
std::span<double> ToDoubles(const char* name, Napi::Value value);

/// Elements of an array that was checked before; none when its buffer was transferred away since.
std::span<std::byte> BytesNow(Napi::Object array);
std::span<std::uint32_t> WordsNow(Napi::Object array);

template <typename T>
std::vector<T> CopyOf(std::span<T> elements) {
  return {elements.begin(), elements.end()};
}

/// New typed arrays with these elements.
Napi::Uint32Array WordsOf(Napi::Env env, std::span<const std::uint32_t> words);
Napi::Float64Array DoublesOf(Napi::Env env, std::span<const double> numbers);
Napi::Uint8Array BytesOf(Napi::Env env, std::span<const std::byte> bytes);

}  // namespace kvbm::addon

#endif  // KVBM_ADDON_ARGUMENTS_H_
