#ifndef KVBM_SHA256_H_
#define KVBM_SHA256_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace kvbm {

inline constexpr std::size_t kHashWords = 4;
inline constexpr std::size_t kHashBytes = 16;
inline constexpr std::size_t kSha256Bytes = 32;

using Sha256Digest = std::array<std::byte, kSha256Bytes>;

/// SHA-256 of the OpenSSL that the process has loaded already. Nothing here computes it by itself.
class Sha256 {
 public:
  virtual ~Sha256() = default;
  /// `openssl-low-level` or `openssl-evp`.
  virtual const char* kind() const = 0;
  /// SHA-256 of two pieces, one after the other.
  virtual Sha256Digest Digest(std::span<const std::byte> first,
                              std::span<const std::byte> second) const = 0;
  /// `backing` holds the parent in its first 4 words; hash i (4 words at 4·(i+1)) becomes the first
  /// 16 bytes of SHA-256(hash i−1 ‖ tokens of block i as u32le). Full blocks only; the caller has
  /// made sure that `backing` has room for them.
  virtual void Chain(std::span<const std::uint32_t> tokens, std::size_t page_size,
                     std::span<std::uint32_t> backing) const = 0;
};

/// The fastest way that gives the known answers, found at the first call; null when there is none.
const Sha256* ProcessSha256();

}  // namespace kvbm

#endif  // KVBM_SHA256_H_
