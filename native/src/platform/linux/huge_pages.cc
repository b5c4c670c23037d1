#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>

#include "platform/platform.h"

namespace kvbm::platform {
namespace {

// The system's own names for these came with Linux 6.7; on an older one the call is refused.
struct PageRegion {
  std::uint64_t start;
  std::uint64_t end;
  std::uint64_t categories;
};
struct PageScan {
  std::uint64_t size;
  std::uint64_t flags;
  std::uint64_t start;
  std::uint64_t end;
  std::uint64_t walk_end;
  std::uint64_t regions;
  std::uint64_t region_count;
  std::uint64_t pages_max;
  std::uint64_t categories_inverted;
  std::uint64_t categories_all;
  std::uint64_t categories_any;
  std::uint64_t categories_returned;
};
constexpr unsigned long kScanPages = _IOWR('f', 16, PageScan);
constexpr std::uint64_t kOnHugePage = 1 << 6;
constexpr std::size_t kRegionsAtOnce = 256;

using Regions = std::array<PageRegion, kRegionsAtOnce>;

/// How many regions were found between `scan.start` and `scan.walk_end`, where it stopped; negative
/// when refused.
int Scan(int descriptor, PageScan& scan, Regions& regions) {
  scan.regions = reinterpret_cast<std::uint64_t>(regions.data());
  scan.region_count = regions.size();
  return ioctl(descriptor, kScanPages, &scan);
}

std::optional<std::size_t> HugeBytesBetween(int descriptor, std::uint64_t begin,
                                            std::uint64_t end) {
  Regions regions = {};
  std::size_t bytes = 0;
  for (std::uint64_t at = begin; at < end;) {
    PageScan scan = {.size = sizeof(PageScan), .start = at, .end = end};
    scan.categories_all = kOnHugePage;
    scan.categories_returned = kOnHugePage;
    const int found = Scan(descriptor, scan, regions);
    if (found < 0 || scan.walk_end <= at) return std::nullopt;
    for (int i = 0; i < found; i++) {
      const PageRegion& region = regions[static_cast<std::size_t>(i)];
      bytes += static_cast<std::size_t>(region.end - region.start);
    }
    at = scan.walk_end;
  }
  return bytes;
}

}  // namespace

std::optional<std::size_t> HugeBytes(std::span<const std::byte> pages) {
  const int descriptor = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return std::nullopt;
  const auto begin = reinterpret_cast<std::uint64_t>(pages.data());
  const auto bytes = HugeBytesBetween(descriptor, begin, begin + pages.size());
  close(descriptor);
  return bytes;
}

}  // namespace kvbm::platform
