#ifndef KVBM_HASH_SHA256_CHAIN_H_
#define KVBM_HASH_SHA256_CHAIN_H_

#include <bit>
#include <cstring>

#include "kvbm/sha256.h"

namespace kvbm {

static_assert(std::endian::native == std::endian::little, "tokens are hashed as little-endian");

/// What every way to compute SHA-256 shares: `Hasher` gives `Hash(first, second)`.
template <typename Hasher>
class Sha256By final : public Sha256 {
 public:
  explicit Sha256By(const Hasher& hasher) : hasher_(hasher) {}

  const char* kind() const override { return Hasher::kKind; }

  Sha256Digest Digest(std::span<const std::byte> first,
                      std::span<const std::byte> second) const override {
    typename Hasher::Scratch scratch(hasher_);
    return hasher_.Hash(scratch, first, second);
  }

  void Chain(std::span<const std::uint32_t> tokens, std::size_t page_size,
             std::span<std::uint32_t> backing) const override {
    typename Hasher::Scratch scratch(hasher_);
    const std::size_t blocks = tokens.size() / page_size;
    for (std::size_t block = 0; block < blocks; block++) {
      const auto parent = std::as_bytes(backing.subspan(block * kHashWords, kHashWords));
      const auto page = std::as_bytes(tokens.subspan(block * page_size, page_size));
      const Sha256Digest digest = hasher_.Hash(scratch, parent, page);
      std::memcpy(&backing[(block + 1) * kHashWords], digest.data(), kHashBytes);
    }
  }

 private:
  const Hasher hasher_;
};

}  // namespace kvbm

#endif  // KVBM_HASH_SHA256_CHAIN_H_
