#include "memory/huge_array.h"

#include <algorithm>

#include "platform/platform.h"

namespace kvbm {

Result<std::unique_ptr<MemoryOwner>> MapHugeMemory(std::uint64_t size_bytes) {
  KVBM_ASSIGN_OR_RETURN(auto memory, MapMemory(std::max<std::uint64_t>(size_bytes, 1)));
  const std::span<std::byte> bytes = memory->Bytes();
  const std::size_t page = platform::PageBytes();
  const std::size_t length = (bytes.size() + page - 1) / page * page;
  static_cast<void>(platform::AdviseHugePages({bytes.data(), length}));
  return memory;
}

}  // namespace kvbm
