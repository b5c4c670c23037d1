#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "platform/platform.h"
#include "text.h"

namespace kvbm::platform {
namespace {

constexpr std::size_t kUsualAlignment = 4096;

/// What the file system says about direct I/O, which few do; 0 when it says that there is none.
std::size_t AlignmentOf([[maybe_unused]] int descriptor) {
#ifdef STATX_DIOALIGN
  struct statx facts = {};
  if (statx(descriptor, "", AT_EMPTY_PATH, STATX_DIOALIGN, &facts) == 0 &&
      (facts.stx_mask & STATX_DIOALIGN) != 0) {
    return std::max(facts.stx_dio_mem_align, facts.stx_dio_offset_align);
  }
#endif
  return kUsualAlignment;
}

/// Some file systems accept the flag and refuse the transfer.
bool ReadsDirectly(int descriptor, std::size_t alignment) {
  void* raw = nullptr;
  const std::size_t length = std::max(alignment, kUsualAlignment);
  if (posix_memalign(&raw, length, length) != 0) return false;
  const std::unique_ptr<void, decltype(&std::free)> buffer(raw, &std::free);
  return pread(descriptor, buffer.get(), length, 0) >= 0;
}

DirectFile None(std::string note) { return {kNoFile, 1, std::move(note)}; }

}  // namespace

DirectFile OpenDirect(FileHandle file, const std::string&, bool write) {
  // Through the descriptor, not the path, which may name another file by now.
  const std::string same = Text("/proc/self/fd/", file);
  const int descriptor = open(same.c_str(), (write ? O_RDWR : O_RDONLY) | O_DIRECT | O_CLOEXEC);
  if (descriptor < 0) return None(Text("the file system refuses direct I/O (errno ", errno, ")"));
  const std::size_t alignment = AlignmentOf(descriptor);
  if (alignment != 0 && ReadsDirectly(descriptor, alignment)) return {descriptor, alignment, ""};
  close(descriptor);
  return None("the file system has no direct I/O for this file");
}

int AllocateRange(FileHandle file, std::uint64_t offset, std::uint64_t length) {
  int result;
  do {
    result = fallocate(static_cast<int>(file), 0, static_cast<off_t>(offset),
                       static_cast<off_t>(length));
  } while (result != 0 && errno == EINTR);
  if (result == 0) return 0;
  return errno == ENOSYS ? EOPNOTSUPP : errno;
}

}  // namespace kvbm::platform
