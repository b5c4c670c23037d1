#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

#include "platform/platform.h"
#include "text.h"

namespace kvbm::platform {
namespace {

#ifndef MAP_NORESERVE
constexpr int MAP_NORESERVE = 0;
#endif

constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

void Unmap(std::byte* begin, const std::byte* end) {
  if (begin < end) munmap(begin, static_cast<std::size_t>(end - begin));
}

std::size_t RoundUp(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

std::byte* Map(std::size_t size_bytes) {
  void* begin = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return begin == MAP_FAILED ? nullptr : static_cast<std::byte*>(begin);
}

/// What a reservation really takes: its end, too, lies on a huge page where it has room for one.
std::size_t MappedBytes(std::size_t size_bytes) {
  return RoundUp(size_bytes, size_bytes < kHugePageBytes ? PageBytes() : kHugePageBytes);
}

/// Huge pages need addresses that are multiples of their size: map more, give back both ends.
std::byte* MapAligned(std::size_t size_bytes) {
  std::byte* const begin = Map(size_bytes + kHugePageBytes);
  if (begin == nullptr) return nullptr;
  const std::size_t past = reinterpret_cast<std::uintptr_t>(begin) % kHugePageBytes;
  std::byte* const aligned = begin + (past == 0 ? 0 : kHugePageBytes - past);
  Unmap(begin, aligned);
  Unmap(aligned + size_bytes, begin + size_bytes + kHugePageBytes);
  return aligned;
}

}  // namespace

std::size_t PageBytes() {
  static const auto page_bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return page_bytes;
}

std::byte* ReserveMemory(std::size_t size_bytes) {
  if (size_bytes > SIZE_MAX / 2) return nullptr;
  const std::size_t rounded = MappedBytes(size_bytes);
  return rounded < kHugePageBytes ? Map(rounded) : MapAligned(rounded);
}

void ReleaseMemory(std::byte* begin, std::size_t size_bytes) {
  munmap(begin, MappedBytes(size_bytes));
}

int LockMemory(std::span<std::byte> pages) {
  return mlock(pages.data(), pages.size()) == 0 ? 0 : errno;
}

void UnlockMemory(std::span<std::byte> pages) { munlock(pages.data(), pages.size()); }

bool CanLockMemory() {
  rlimit limit = {};
  return getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur > 0;
}

std::string LockLimitAdvice() {
  rlimit limit = {};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  const std::string amount = limit.rlim_cur == RLIM_INFINITY
                                 ? "no limit is set"
                                 : Text("the limit is ", limit.rlim_cur / 1024, " KiB");
  return Text(amount,
              ". Raise it: `ulimit -l unlimited` in the shell, LimitMEMLOCK=infinity in systemd, "
              "--ulimit memlock=-1 in Docker.");
}

}  // namespace kvbm::platform
