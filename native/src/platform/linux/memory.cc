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

std::byte* MapFile(FileHandle file, std::size_t size_bytes) {
  void* const begin = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                           static_cast<int>(file), 0);
  if (begin == MAP_FAILED) return nullptr;
  auto* const bytes = static_cast<std::byte*>(begin);
  if (PopulateMemory({bytes, size_bytes})) return bytes;
  UnmapFile(bytes, size_bytes);
  return nullptr;
}

void UnmapFile(std::byte* begin, std::size_t size_bytes) { munmap(begin, size_bytes); }

}  // namespace kvbm::platform
