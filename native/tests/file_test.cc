#include "kvbm/file.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "kvbm/file_lock.h"
#include "tests/world.h"

namespace kvbm {
namespace {

using testing::Mapped;
using testing::NewFile;
using testing::Pattern;
using testing::TemporaryFolder;

std::vector<std::byte> Contents(const File& file, std::size_t size, std::uint64_t offset = 0) {
  std::vector<std::byte> bytes(size);
  const auto length = file.Read(bytes, offset);
  EXPECT_TRUE(length.ok());
  bytes.resize(length.value());
  return bytes;
}

TEST(File, GivesBackWhatWasWritten) {
  const TemporaryFolder folder;
  const auto file = NewFile(folder / "file");
  const auto bytes = Pattern(5000);
  ASSERT_TRUE(file->Write(bytes, 777).ok());
  EXPECT_EQ(Contents(*file, 5000, 777), bytes);
  EXPECT_EQ(file->Size().value(), 5777U);
  EXPECT_TRUE(file->Sync().ok());
}

TEST(File, IsForItsOwnerOnly) {
  const TemporaryFolder folder;
  NewFile(folder / "file");
  struct stat facts = {};
  ASSERT_EQ(stat((folder / "file").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U);
}

TEST(File, ThatEndsEarlyFailsAWholeReadAndShortensAnother) {
  const TemporaryFolder folder;
  const auto file = NewFile(folder / "file");
  ASSERT_TRUE(file->Write(Pattern(100), 0).ok());
  std::vector<std::byte> target(200);
  const Status status = file->ReadAll(target, 0);
  EXPECT_EQ(status.code(), StatusCode::kStorageIo);
  EXPECT_NE(status.message().find("ends after 100"), std::string::npos) << status.message();
  EXPECT_EQ(Contents(*file, 200), Pattern(100));
  EXPECT_EQ(Contents(*file, 200, 5000).size(), 0U);
}

TEST(File, ThatIsMissingALinkAFolderOrAPipeIsRefused) {
  const TemporaryFolder folder;
  NewFile(folder / "file");
  std::filesystem::create_symlink(folder / "file", folder / "link");
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  const auto code = [](const std::string& path, bool exclusive = false) {
    return File::Open({.path = path, .write = true, .create = exclusive, .exclusive = exclusive})
        .status()
        .code();
  };
  EXPECT_EQ(code(folder / "missing"), StatusCode::kStorageIo);
  EXPECT_EQ(code(folder / "link"), StatusCode::kStorageIo);
  EXPECT_EQ(code(folder / "pipe"), StatusCode::kStorageIo);
  EXPECT_EQ(code(folder / "."), StatusCode::kStorageIo);
  EXPECT_EQ(code(folder / std::string("file\0.bin", 9)), StatusCode::kStorageIo);
  EXPECT_EQ(code(folder / "file", true), StatusCode::kStorageIo);
  EXPECT_EQ(code(folder / "new", true), StatusCode::kOk);
}

TEST(File, OpenedForReadingRefusesToBeWritten) {
  const TemporaryFolder folder;
  NewFile(folder / "file");
  const auto file = File::Open({.path = folder / "file"}).value();
  EXPECT_EQ(file->Write(Pattern(10), 0).code(), StatusCode::kStorageIo);
}

TEST(File, WithDirectIoGivesBackAlignedAndUnalignedBytes) {
  const TemporaryFolder folder;
  const auto file = NewFile(folder / "file", true);
  EXPECT_EQ(file->direct(), file->note().empty());
  const auto memory = Mapped(64 << 10);
  const auto pattern = Pattern(64 << 10);
  std::ranges::copy(pattern, memory->Bytes().begin());
  ASSERT_TRUE(file->Write(memory->Bytes(), 0).ok());
  ASSERT_TRUE(file->Write(memory->Bytes().subspan(1, 100), 70001).ok());
  std::ranges::fill(memory->Bytes(), std::byte{0});
  ASSERT_TRUE(file->ReadAll(memory->Bytes(), 0).ok());
  EXPECT_TRUE(std::ranges::equal(memory->Bytes(), pattern));
  EXPECT_EQ(Contents(*file, 100, 70001), std::vector(pattern.begin() + 1, pattern.begin() + 101));
  // Aligned, but the file ends in the middle.
  EXPECT_EQ(file->ReadAll(memory->Bytes().first(8192), 65536).code(), StatusCode::kStorageIo);
}

TEST(File, WithoutDirectIoSaysWhy) {
  const TemporaryFolder folder;
  const auto file = NewFile(folder / "file");
  EXPECT_FALSE(file->direct());
  EXPECT_NE(file->note(), "");
}

TEST(Reserve, MakesTheRangeExistKeepsBytesAndNeverShrinks) {
  const TemporaryFolder folder;
  const auto file = NewFile(folder / "file");
  ASSERT_TRUE(file->Write(Pattern(100), 5000).ok());
  ASSERT_TRUE(file->Reserve(0, 10000).ok());
  EXPECT_EQ(file->Size().value(), 10000U);
  ASSERT_TRUE(file->Reserve(0, 10).ok());
  EXPECT_EQ(file->Size().value(), 10000U);
  EXPECT_EQ(Contents(*file, 100, 5000), Pattern(100));
}

int Unsupported(std::intptr_t, std::uint64_t, std::uint64_t) { return EOPNOTSUPP; }
int Full(std::intptr_t, std::uint64_t, std::uint64_t) { return ENOSPC; }

TEST(Reserve, WritesZerosWhereTheFileSystemCannotAllocate) {
  const TemporaryFolder folder;
  const auto file = NewFile(folder / "file");
  file->set_allocate_for_testing(&Unsupported);
  EXPECT_EQ(file->Reserve(0, 3'000'001).value(), Reservation::kZeroFilled);
  EXPECT_EQ(file->Size().value(), 3'000'001U);
  EXPECT_EQ(Contents(*file, 3'000'001), std::vector<std::byte>(3'000'001));
}

TEST(Reserve, OverWhatExistsAlreadyIsSparseAndKeepsBytesWhereTheFileSystemCannotAllocate) {
  const TemporaryFolder folder;
  const auto file = NewFile(folder / "file");
  file->set_allocate_for_testing(&Unsupported);
  ASSERT_TRUE(file->Write(Pattern(100), 50).ok());
  EXPECT_EQ(file->Reserve(0, 200).value(), Reservation::kSparse);
  EXPECT_EQ(Contents(*file, 100, 50), Pattern(100));
  EXPECT_EQ(file->Size().value(), 200U);
}

TEST(Reserve, OnAFullDiskIsStorageFull) {
  const TemporaryFolder folder;
  const auto file = NewFile(folder / "file");
  file->set_allocate_for_testing(&Full);
  const auto reserved = file->Reserve(0, 4096);
  EXPECT_EQ(reserved.status().code(), StatusCode::kStorageFull);
  EXPECT_EQ(reserved.status().system_error(), ENOSPC);
}

TEST(FileLock, IsHadByOneAtATime) {
  const TemporaryFolder folder;
  auto first = std::move(FileLock::TryLock(folder / "lock").value());
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(FileLock::TryLock(folder / "lock").value(), nullptr);
  first.reset();
  EXPECT_NE(FileLock::TryLock(folder / "lock").value(), nullptr);
}

TEST(FileLock, InAMissingFolderIsStorageIo) {
  const TemporaryFolder folder;
  EXPECT_EQ(FileLock::TryLock(folder / "none/lock").status().code(), StatusCode::kStorageIo);
}

}  // namespace
}  // namespace kvbm
