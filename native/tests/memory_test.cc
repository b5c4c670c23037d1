#include "kvbm/memory.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "platform/platform.h"
#include "tests/world.h"

namespace kvbm {
namespace {

using testing::Mapped;
using testing::MemoryOver;
using testing::NewFile;
using testing::Pattern;
using testing::TemporaryFolder;

DeviceRuntime* NoDevice() { return nullptr; }

TEST(Memory, OfMoreThan4GiBIsZeroWhereItIsTouchedAndCostsNothingElsewhere) {
  const std::uint64_t size = std::uint64_t{64} << 30;
  const auto memory = Mapped(size);
  ASSERT_EQ(memory->Bytes().size(), size);
  for (const std::uint64_t at : {std::uint64_t{0}, (std::uint64_t{4} << 30) + 5, size - 1}) {
    EXPECT_EQ(memory->Bytes()[at], std::byte{0});
    memory->Bytes()[at] = std::byte{7};
    EXPECT_EQ(memory->Bytes()[at], std::byte{7});
  }
}

TEST(Memory, ThatTheSystemCannotGiveIsStorageFull) {
  const auto owner = MapMemory(std::uint64_t{1} << 60);
  ASSERT_FALSE(owner.ok());
  EXPECT_EQ(owner.status().code(), StatusCode::kStorageFull);
}

TEST(Memory, KeepsItsBytesWhenCommitted) {
  const auto memory = Mapped(8 << 20);
  const auto bytes = Pattern(10000);
  std::memcpy(memory->Bytes().data() + 5000, bytes.data(), bytes.size());
  const CommitOutcome outcome = memory->Commit(4099, 4 << 20, false);
  EXPECT_EQ(outcome.locked, LockKind::kTouched);
  EXPECT_EQ(outcome.note, "");
  EXPECT_TRUE(std::ranges::equal(memory->Bytes().subspan(5000, bytes.size()), bytes));
}

TEST(Memory, CommittedWithLockIsLockedOrSaysWhyNot) {
  Memory memory(std::move(MapMemory(1 << 20).value()), &NoDevice);
  const CommitOutcome outcome = memory.Commit(0, 65536, true);
  if (outcome.locked == LockKind::kOs) {
    EXPECT_EQ(outcome.note, "");
  } else {
    EXPECT_EQ(outcome.locked, LockKind::kTouched);
    EXPECT_NE(outcome.note.find("ulimit -l"), std::string::npos) << outcome.note;
  }
}

TEST(Memory, CommittedOverNothingIsDone) {
  const auto memory = Mapped(4096);
  EXPECT_EQ(memory->Commit(4096, 0, true).locked, LockKind::kTouched);
}

TEST(Memory, OfOthersKeepsItsBytesWhenCommittedAndLocked) {
  auto bytes = Pattern(100000);
  const auto before = bytes;
  {
    const auto memory = MemoryOver(bytes);
    static_cast<void>(memory->Commit(17, 90000, true));
  }
  EXPECT_EQ(bytes, before);
}

TEST(Memory, SaysHowFarItIsToAnAlignedAddress) {
  auto bytes = Pattern(10000);
  const auto memory = MemoryOver(bytes);
  for (const std::uint64_t alignment : {1, 2, 3, 64, 4096}) {
    const std::uint64_t offset = memory->AlignmentOffset(alignment);
    EXPECT_LT(offset, alignment);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes.data() + offset) % alignment, 0U);
  }
}

TEST(Memory, OfTheSystemBeginsAtAPageAndLongOnesWhereHugePagesMay) {
  EXPECT_EQ(Mapped(100)->AlignmentOffset(platform::PageBytes()), 0U);
  EXPECT_EQ(Mapped(8 << 20)->AlignmentOffset(2 << 20), 0U);
}

TEST(Memory, TellsHowMuchOfItLiesOnHugePagesWhereTheSystemDoes) {
  const auto memory = Mapped(8 << 20);
  const CommitOutcome outcome = memory->Commit(0, 8 << 20, false);
  if (!outcome.huge_bytes.has_value()) GTEST_SKIP() << "this system does not tell";
  EXPECT_LE(*outcome.huge_bytes, std::uint64_t{8} << 20);
  // Advised and given, unless the system has no huge page free.
  if (!outcome.huge_pages) EXPECT_EQ(*outcome.huge_bytes, 0U);
}

TEST(MappedFile, AndItsFileAreTheSameBytes) {
  const TemporaryFolder folder;
  const auto file = NewFile(folder / "file");
  ASSERT_TRUE(file->Write(Pattern(5000), 0).ok());
  auto owner = MapFile(file, 8192);
  ASSERT_TRUE(owner.ok()) << owner.status().message();
  if (owner.value() == nullptr) GTEST_SKIP() << "no safe way to map files here";
  const auto bytes = owner.value()->Bytes();
  ASSERT_EQ(bytes.size(), 8192U);
  EXPECT_TRUE(std::ranges::equal(bytes.first(5000), Pattern(5000)));
  EXPECT_EQ(bytes[8191], std::byte{0});
  bytes[6000] = std::byte{9};
  std::vector<std::byte> found(1);
  ASSERT_TRUE(file->ReadAll(found, 6000).ok());
  EXPECT_EQ(found[0], std::byte{9});
  EXPECT_FALSE(owner.value()->IsLasting());
}

TEST(MappedFile, ThatWasCutHasNoBytesBehindItsEnd) {
  const TemporaryFolder folder;
  const auto file = NewFile(folder / "file");
  auto owner = MapFile(file, 8192);
  ASSERT_TRUE(owner.ok());
  if (owner.value() == nullptr) GTEST_SKIP() << "no safe way to map files here";
  std::filesystem::resize_file(folder / "file", 100);
  EXPECT_EQ(owner.value()->Bytes().size(), 100U);
}

TEST(MappedFile, OfAFullDiskIsStorageFull) {
  const TemporaryFolder folder;
  const auto file = NewFile(folder / "file");
  file->set_allocate_for_testing(
      [](std::intptr_t, std::uint64_t, std::uint64_t) { return ENOSPC; });
  EXPECT_EQ(MapFile(file, 8192).status().code(), StatusCode::kStorageFull);
}

}  // namespace
}  // namespace kvbm
