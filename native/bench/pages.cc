#include "pages.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace kvbm::bench {
namespace {

constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

}  // namespace

Pages::Pages(std::size_t size_bytes, bool huge) : mapped_bytes_(size_bytes + kHugePageBytes) {
  mapping_ = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping_ == MAP_FAILED) std::abort();
#if defined(MADV_HUGEPAGE)
  madvise(mapping_, mapped_bytes_, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
#else
  static_cast<void>(huge);
#endif
  auto* const begin = static_cast<std::byte*>(mapping_);
  bytes_ = begin + (-reinterpret_cast<std::uintptr_t>(begin) & (kHugePageBytes - 1));
  std::memset(bytes_, 0x5a, size_bytes);
}

Pages::~Pages() { munmap(mapping_, mapped_bytes_); }

}  // namespace kvbm::bench
