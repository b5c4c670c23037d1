#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "platform/platform.h"

namespace kvbm::platform {
namespace {

/// Linux moves at most 2 GiB less a page at once; a round number below keeps the rest aligned.
constexpr std::size_t kTransferBytesMax = std::size_t{1} << 30;

int FlagsOf(FileMode mode) {
  return (mode.write ? O_RDWR : O_RDONLY) | (mode.create ? O_CREAT : 0) |
         (mode.exclusive ? O_EXCL : 0) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
}

/// Zero if it has offsets, which folders, pipes and sockets have not.
int CheckOffsets(int descriptor) {
  struct stat facts = {};
  if (fstat(descriptor, &facts) != 0) return errno;
  if (S_ISDIR(facts.st_mode)) return EISDIR;
  return S_ISFIFO(facts.st_mode) || S_ISSOCK(facts.st_mode) ? EINVAL : 0;
}

int OpenRetrying(const std::string& path, int flags) {
  if (path.find('\0') != std::string::npos) {
    errno = EINVAL;
    return -1;
  }
  int descriptor;
  do {
    descriptor = open(path.c_str(), flags, 0600);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

template <typename Transfer>
Moved Retrying(Transfer transfer) {
  ssize_t bytes;
  do {
    bytes = transfer();
  } while (bytes < 0 && errno == EINTR);
  if (bytes < 0) return {0, errno};
  return {static_cast<std::size_t>(bytes), 0};
}

int ErrorOf(int result) { return result == 0 ? 0 : errno; }

OpenedFile OpenChecked(const std::string& path, int flags) {
  const int descriptor = OpenRetrying(path, flags);
  if (descriptor < 0) return {kNoFile, errno};
  const int error = CheckOffsets(descriptor);
  if (error == 0) return {descriptor, 0};
  close(descriptor);
  return {kNoFile, error};
}

}  // namespace

OpenedFile OpenFile(const std::string& path, FileMode mode) {
  return OpenChecked(path, FlagsOf(mode));
}

void CloseFile(FileHandle file) { close(static_cast<int>(file)); }

Moved ReadAt(FileHandle file, std::span<std::byte> target, std::uint64_t offset) {
  const std::size_t length = std::min(target.size(), kTransferBytesMax);
  return Retrying([&] {
    return pread(static_cast<int>(file), target.data(), length, static_cast<off_t>(offset));
  });
}

Moved WriteAt(FileHandle file, std::span<const std::byte> source, std::uint64_t offset) {
  const std::size_t length = std::min(source.size(), kTransferBytesMax);
  return Retrying([&] {
    return pwrite(static_cast<int>(file), source.data(), length, static_cast<off_t>(offset));
  });
}

FileSize SizeOf(FileHandle file) {
  struct stat facts = {};
  if (fstat(static_cast<int>(file), &facts) != 0) return {0, errno};
  return {static_cast<std::uint64_t>(facts.st_size), 0};
}

int ExtendTo(FileHandle file, std::uint64_t size_bytes) {
  const FileSize size = SizeOf(file);
  if (size.error != 0 || size.bytes >= size_bytes) return size.error;
  return ErrorOf(ftruncate(static_cast<int>(file), static_cast<off_t>(size_bytes)));
}

int SyncFile(FileHandle file) {
#ifdef F_FULLFSYNC  // On macOS fsync leaves the bytes in the drive's own cache.
  if (fcntl(static_cast<int>(file), F_FULLFSYNC) == 0) return 0;
#endif
  return ErrorOf(fsync(static_cast<int>(file)));
}

OpenedFile OpenLocked(const std::string& path) {
  const OpenedFile file = OpenChecked(path, FlagsOf({.write = true, .create = true}));
  if (file.error != 0) return file;
  int result;
  do {
    result = flock(static_cast<int>(file.handle), LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return file;
  const int error = errno;
  CloseFile(file.handle);
  return {kNoFile, error};
}

}  // namespace kvbm::platform
