#ifndef KVBM_HASH_OPENSSL_H_
#define KVBM_HASH_OPENSSL_H_

#include <memory>

#include "kvbm/sha256.h"

namespace kvbm {

/// Finds a function by name; null when there is none. Both below may return null.
using SymbolSource = void* (*)(const char* name);

/// `SHA256_Init`, `_Update`, `_Final`, with a context of ours that must not overflow.
std::unique_ptr<Sha256> FindLowLevelSha256(SymbolSource find);

/// The EVP interface: the context is OpenSSL's, the digest is fetched once.
std::unique_ptr<Sha256> FindEvpSha256(SymbolSource find);

/// Whether it gives what SHA-256 gives.
bool GivesKnownAnswers(const Sha256& sha256);

}  // namespace kvbm

#endif  // KVBM_HASH_OPENSSL_H_
