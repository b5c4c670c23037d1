#include "platform/platform.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace kvbm::platform {
namespace {

/// F_NOCACHE transfers of any alignment, but only whole pages really pass the cache by.
constexpr std::size_t kDirectAlignment = 4096;

DirectFile None(const char* note) { return {kNoFile, 1, note}; }

bool SameFile(int one, int other) {
  struct stat a = {};
  struct stat b = {};
  return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

}  // namespace

bool AdviseHugePages(std::span<std::byte>) { return false; }

bool PopulateMemory(std::span<std::byte>) { return false; }

std::optional<std::size_t> HugeBytes(std::span<const std::byte>) { return std::nullopt; }

// Nothing here tells beforehand whether every page can be had.
std::byte* MapFile(FileHandle, std::size_t) { return nullptr; }
void UnmapFile(std::byte*, std::size_t) {}

DirectFile OpenDirect(FileHandle file, const std::string& path, bool write) {
  const int descriptor = open(path.c_str(), (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) return None("the file cannot be opened a second time");
  if (SameFile(static_cast<int>(file), descriptor) && fcntl(descriptor, F_NOCACHE, 1) == 0) {
    return {descriptor, kDirectAlignment, ""};
  }
  close(descriptor);
  return None("the file system has no direct I/O for this file");
}

int AllocateRange(FileHandle file, std::uint64_t offset, std::uint64_t length) {
  const FileSize size = SizeOf(file);
  if (size.error != 0) return size.error;
  const std::uint64_t end = offset + length;
  // Only space past the end can be asked for; what lies before may be a hole.
  if (size.bytes > offset) return EOPNOTSUPP;
  fstore_t wish = {};
  wish.fst_flags = F_ALLOCATEALL;
  wish.fst_posmode = F_PEOFPOSMODE;
  wish.fst_length = static_cast<off_t>(end - size.bytes);
  if (fcntl(static_cast<int>(file), F_PREALLOCATE, &wish) != 0) {
    return errno == ENOTSUP || errno == EINVAL ? EOPNOTSUPP : errno;
  }
  return ExtendTo(file, end);
}

const char* CudaDriverName() { return nullptr; }

bool HasCrc32cInstructions() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("sse4.2") != 0;
#else
  return true;  // Every Apple CPU for 64-bit ARM has them.
#endif
}

}  // namespace kvbm::platform
