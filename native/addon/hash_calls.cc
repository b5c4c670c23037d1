#include <array>
#include <cstring>

#include "arguments.h"
#include "calls.h"
#include "errors.h"
#include "kvbm/crc32c.h"
#include "kvbm/sha256.h"

namespace kvbm::addon {
namespace {

const Sha256& Sha256OrThrow(Napi::Env env) {
  const Sha256* const sha256 = ProcessSha256();
  if (sha256 != nullptr) return *sha256;
  Throw(env, {StatusCode::kUnavailable,
              "The OpenSSL of this process cannot be used directly. Hash with node:crypto."});
}

}  // namespace

Napi::Value Crc32cOf(const Napi::CallbackInfo& info) {
  const auto bytes = ToBytes("bytes", info[0]);
  const std::uint32_t seed = info[1].IsUndefined() ? 0 : ToWord("seed", info[1]);
  return Napi::Number::New(info.Env(), Crc32c(bytes, seed));
}

Napi::Value Sha256Of(const Napi::CallbackInfo& info) {
  const auto bytes = ToBytes("bytes", info[0]);
  const Sha256Digest digest = Sha256OrThrow(info.Env()).Digest(bytes, {});
  std::array<std::uint32_t, kHashWords> words;
  std::memcpy(words.data(), digest.data(), kHashBytes);
  return WordsOf(info.Env(), words);
}

Napi::Value HashBlocks(const Napi::CallbackInfo& info) {
  const auto tokens = ToWords("tokens", info[0]);
  const std::uint64_t page_size = ToPositive("pageSize", info[1]);
  const auto backing = ToWords("backing", info[2]);
  const std::uint64_t needed = kHashWords * (tokens.size() / page_size + 1);
  if (backing.size() < needed) {
    ThrowInvalid("backing.length", "at least " + std::to_string(needed) + " words",
                 Napi::Number::New(info.Env(), static_cast<double>(backing.size())));
  }
  Sha256OrThrow(info.Env()).Chain(tokens, static_cast<std::size_t>(page_size), backing);
  return info.Env().Undefined();
}

}  // namespace kvbm::addon
