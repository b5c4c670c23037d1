#include "kvbm/sha256.h"

#include "hash/openssl.h"
#include "platform/platform.h"

namespace kvbm {
namespace {

std::unique_ptr<Sha256> FindSha256() {
  auto low_level = FindLowLevelSha256(&platform::FindProgramSymbol);
  if (low_level != nullptr && GivesKnownAnswers(*low_level)) return low_level;
  auto evp = FindEvpSha256(&platform::FindProgramSymbol);
  if (evp != nullptr && GivesKnownAnswers(*evp)) return evp;
  return nullptr;
}

}  // namespace

const Sha256* ProcessSha256() {
  static const Sha256* const found = FindSha256().release();
  return found;
}

}  // namespace kvbm
