#include "kvbm/sha256.h"

#include <algorithm>
#include <cstring>

#include "hash/openssl.h"
#include "platform/platform.h"
#include "tests/world.h"

namespace kvbm {
namespace {

void* Nowhere(const char*) { return nullptr; }

void* Libcrypto(const char* name) {
  static void* const library = platform::OpenLibrary("libcrypto.so.3");
  return library == nullptr ? nullptr : platform::FindSymbol(library, name);
}

// What a library that is no SHA-256 would do: give any bytes, and write past 112 bytes of context.
int WideInit(void* context) {
  std::memset(context, 0, 400);
  return 1;
}
int AnyUpdate(void*, const void*, std::size_t) { return 1; }
int AnyFinal(unsigned char* digest, void*) {
  std::memset(digest, 7, kSha256Bytes);
  return 1;
}
int NarrowInit(void* context) {
  std::memset(context, 0, 112);
  return 1;
}

template <int (*Init)(void*)>
void* Impostor(const char* name) {
  if (std::strcmp(name, "SHA256_Init") == 0) return reinterpret_cast<void*>(Init);
  if (std::strcmp(name, "SHA256_Update") == 0) return reinterpret_cast<void*>(&AnyUpdate);
  if (std::strcmp(name, "SHA256_Final") == 0) return reinterpret_cast<void*>(&AnyFinal);
  return nullptr;
}

/// Two of the functions from here, one from another library.
void* Mixed(const char* name) {
  if (std::strcmp(name, "SHA256_Final") != 0) return Impostor<&NarrowInit>(name);
  return platform::FindProgramSymbol("malloc");
}

TEST(Sha256, IsNotFoundWhereThereIsNoOpenssl) {
  EXPECT_EQ(FindLowLevelSha256(&Nowhere), nullptr);
  EXPECT_EQ(FindEvpSha256(&Nowhere), nullptr);
}

TEST(Sha256, RefusesFunctionsThatWritePastTheContext) {
  EXPECT_EQ(FindLowLevelSha256(&Impostor<&WideInit>), nullptr);
}

TEST(Sha256, RefusesFunctionsThatGiveOtherAnswers) {
  const auto impostor = FindLowLevelSha256(&Impostor<&NarrowInit>);
  ASSERT_NE(impostor, nullptr);
  EXPECT_FALSE(GivesKnownAnswers(*impostor));
}

TEST(Sha256, RefusesFunctionsOfTwoLibraries) { EXPECT_EQ(FindLowLevelSha256(&Mixed), nullptr); }

TEST(Sha256, BothWaysThroughOpensslGiveKnownAnswersAndTheSameChain) {
  if (Libcrypto("SHA256_Init") == nullptr) {
    GTEST_SKIP() << "libcrypto.so.3 is not installed; the addon's tests cover Node's own";
  }
  const auto low_level = FindLowLevelSha256(&Libcrypto);
  const auto evp = FindEvpSha256(&Libcrypto);
  ASSERT_NE(low_level, nullptr);
  ASSERT_NE(evp, nullptr);
  EXPECT_TRUE(GivesKnownAnswers(*low_level));
  EXPECT_TRUE(GivesKnownAnswers(*evp));

  const std::vector<std::uint32_t> tokens = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  std::vector<std::uint32_t> one = {9, 8, 7, 6, 0, 0, 0, 0, 0, 0, 0, 0};
  std::vector<std::uint32_t> other = one;
  low_level->Chain(tokens, 5, one);
  evp->Chain(tokens, 5, other);
  EXPECT_EQ(one, other);
  EXPECT_EQ(one[0], 9U);
  EXPECT_NE(one[8], 0U);

  // The second hash is that of the first one and the second page.
  const Sha256Digest second = evp->Digest(std::as_bytes(std::span(one).subspan(4, 4)),
                                          std::as_bytes(std::span(tokens).subspan(5, 5)));
  EXPECT_EQ(std::memcmp(second.data(), &one[8], kHashBytes), 0);
}

}  // namespace
}  // namespace kvbm
