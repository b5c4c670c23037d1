#include "hash/openssl.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "hash/sha256_chain.h"
#include "platform/platform.h"

namespace kvbm {
namespace {

template <typename Function>
bool Find(SymbolSource find, const char* name, Function& function) {
  function = reinterpret_cast<Function>(find(name));
  return function != nullptr;
}

template <typename Function>
void* Address(Function* function) {
  return reinterpret_cast<void*>(function);
}

/// OpenSSL's context has 112 bytes; the rest of ours must stay as it is, which is checked once.
constexpr std::size_t kContextBytes = 512;
constexpr std::size_t kContextBytesUsedMax = 256;
constexpr std::byte kSentinel{0xa5};

struct LowLevelHasher {
  static constexpr const char* kKind = "openssl-low-level";

  int (*init)(void* context) = nullptr;
  int (*update)(void* context, const void* bytes, std::size_t size) = nullptr;
  int (*final)(unsigned char* digest, void* context) = nullptr;

  struct Scratch {
    explicit Scratch(const LowLevelHasher&) {}
    alignas(64) std::byte context[kContextBytes];
  };

  Sha256Digest Hash(Scratch& scratch, std::span<const std::byte> first,
                    std::span<const std::byte> second) const {
    Sha256Digest digest;
    init(scratch.context);
    update(scratch.context, first.data(), first.size());
    update(scratch.context, second.data(), second.size());
    final(reinterpret_cast<unsigned char*>(digest.data()), scratch.context);
    return digest;
  }
};

bool StaysInContext(const LowLevelHasher& hasher) {
  LowLevelHasher::Scratch scratch(hasher);
  std::ranges::fill(scratch.context, kSentinel);
  const std::array<std::byte, 200> message = {};
  static_cast<void>(hasher.Hash(scratch, std::span(message).first(55), message));
  return std::ranges::all_of(std::span(scratch.context).subspan(kContextBytesUsedMax),
                             [](std::byte byte) { return byte == kSentinel; });
}

struct EvpHasher {
  static constexpr const char* kKind = "openssl-evp";

  void* (*context_new)() = nullptr;
  void (*context_free)(void* context) = nullptr;
  int (*init)(void* context, const void* digest, void* engine) = nullptr;
  int (*update)(void* context, const void* bytes, std::size_t size) = nullptr;
  int (*final)(void* context, unsigned char* digest, unsigned int* size) = nullptr;
  /// Fetched once and kept: fetching costs more than hashing a block.
  std::shared_ptr<const void> sha256;

  struct Scratch {
    explicit Scratch(const EvpHasher& hasher)
        : context(hasher.context_new()), free(hasher.context_free) {}
    ~Scratch() { free(context); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    void* const context;
    void (*const free)(void* context);
  };

  Sha256Digest Hash(Scratch& scratch, std::span<const std::byte> first,
                    std::span<const std::byte> second) const {
    Sha256Digest digest = {};
    init(scratch.context, sha256.get(), nullptr);
    update(scratch.context, first.data(), first.size());
    update(scratch.context, second.data(), second.size());
    final(scratch.context, reinterpret_cast<unsigned char*>(digest.data()), nullptr);
    return digest;
  }
};

/// Before OpenSSL 3 nothing is fetched: what is built in is used, and never freed.
std::shared_ptr<const void> FetchSha256(SymbolSource find) {
  void* (*fetch)(void* library, const char* name, const char* properties) = nullptr;
  void (*free)(void* digest) = nullptr;
  if (Find(find, "EVP_MD_fetch", fetch) && Find(find, "EVP_MD_free", free)) {
    void* const digest = fetch(nullptr, "SHA256", nullptr);
    return digest == nullptr ? nullptr : std::shared_ptr<void>(digest, free);
  }
  const void* (*built_in)() = nullptr;
  if (!Find(find, "EVP_sha256", built_in)) return nullptr;
  return {built_in(), [](const void*) {}};
}

struct KnownAnswer {
  std::size_t size;
  const char* digest;
};

/// SHA-256 of messages whose byte i is 7i + 3, of lengths around those of its inner blocks.
constexpr std::array kKnownAnswers = {
    KnownAnswer{0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    KnownAnswer{55, "e7313d333c272e639f790978283f9eb392e843d0f29b7016828bb1daa4aac70b"},
    KnownAnswer{64, "39e3d7b6b5d075d37d053ad89b24b41bef4f3c29760c84447cab3f3be1882241"},
    KnownAnswer{80, "c6b3377d81c23312e11ac4a33e9e87b00ec1cb167b13c97d69657b8e3820a74e"},
    KnownAnswer{200, "2c7e18c942ef065b526a2d4e5546283749cd3ddfb51d8fc71f42717363685f46"},
};

int Nibble(char digit) { return digit <= '9' ? digit - '0' : digit - 'a' + 10; }

bool Matches(const Sha256Digest& digest, const char* hex) {
  for (std::size_t i = 0; i < digest.size(); i++) {
    const int expected = Nibble(hex[2 * i]) * 16 + Nibble(hex[2 * i + 1]);
    if (std::to_integer<int>(digest[i]) != expected) return false;
  }
  return true;
}

}  // namespace

bool GivesKnownAnswers(const Sha256& sha256) {
  std::array<std::byte, 200> message;
  for (std::size_t i = 0; i < message.size(); i++) message[i] = static_cast<std::byte>(7 * i + 3);
  return std::ranges::all_of(kKnownAnswers, [&](const KnownAnswer& answer) {
    const auto whole = std::span(message).first(answer.size);
    const std::size_t cut = std::min<std::size_t>(answer.size, 16);
    return Matches(sha256.Digest(whole, {}), answer.digest) &&
           Matches(sha256.Digest(whole.first(cut), whole.subspan(cut)), answer.digest);
  });
}

std::unique_ptr<Sha256> FindLowLevelSha256(SymbolSource find) {
  LowLevelHasher hasher;
  const bool found = Find(find, "SHA256_Init", hasher.init) &&
                     Find(find, "SHA256_Update", hasher.update) &&
                     Find(find, "SHA256_Final", hasher.final);
  if (!found) return nullptr;
  // Functions of two libraries would not agree about the context.
  const std::array symbols = {Address(hasher.init), Address(hasher.update), Address(hasher.final)};
  if (!platform::FromOneImage(symbols) || !StaysInContext(hasher)) return nullptr;
  return std::make_unique<Sha256By<LowLevelHasher>>(hasher);
}

std::unique_ptr<Sha256> FindEvpSha256(SymbolSource find) {
  EvpHasher hasher;
  const bool found = Find(find, "EVP_MD_CTX_new", hasher.context_new) &&
                     Find(find, "EVP_MD_CTX_free", hasher.context_free) &&
                     Find(find, "EVP_DigestInit_ex", hasher.init) &&
                     Find(find, "EVP_DigestUpdate", hasher.update) &&
                     Find(find, "EVP_DigestFinal_ex", hasher.final);
  if (!found) return nullptr;
  hasher.sha256 = FetchSha256(find);
  if (hasher.sha256 == nullptr) return nullptr;
  return std::make_unique<Sha256By<EvpHasher>>(hasher);
}

}  // namespace kvbm
