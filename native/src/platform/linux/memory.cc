#include <sys/mman.h>

#include <fstream>
#include <string>

#include "platform/platform.h"

namespace kvbm::platform {
namespace {

bool HugePagesEnabled() {
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
  std::string line;
  std::getline(file, line);
  return !line.empty() && line.find("[never]") == std::string::npos;
}

}  // namespace

bool AdviseHugePages(std::span<std::byte> pages) {
  return madvise(pages.data(), pages.size(), MADV_HUGEPAGE) == 0 && HugePagesEnabled();
}

bool PopulateMemory([[maybe_unused]] std::span<std::byte> pages) {
#ifdef MADV_POPULATE_WRITE
  return madvise(pages.data(), pages.size(), MADV_POPULATE_WRITE) == 0;
#else
  return false;
#endif
}

}  // namespace kvbm::platform
