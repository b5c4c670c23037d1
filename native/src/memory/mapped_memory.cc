#include <cerrno>

#include "kvbm/memory.h"
#include "platform/platform.h"
#include "text.h"

namespace kvbm {
namespace {

class MappedMemory final : public MemoryOwner {
 public:
  MappedMemory(std::byte* begin, std::size_t size_bytes) : bytes_(begin, size_bytes) {}
  ~MappedMemory() override { platform::ReleaseMemory(bytes_.data(), bytes_.size()); }
  MappedMemory(const MappedMemory&) = delete;
  MappedMemory& operator=(const MappedMemory&) = delete;

  std::span<std::byte> Bytes() const override { return bytes_; }
  bool IsLasting() const override { return true; }

 private:
  const std::span<std::byte> bytes_;
};

}  // namespace

Result<std::unique_ptr<MemoryOwner>> MapMemory(std::uint64_t size_bytes) {
  std::byte* const begin = platform::ReserveMemory(static_cast<std::size_t>(size_bytes));
  if (begin == nullptr) {
    return Status(StatusCode::kStorageFull,
                  Text("The system refused ", size_bytes,
                       " bytes of memory. Lower numBlocks or free memory."),
                  ENOMEM);
  }
  // Advised at once: pages may be touched before they are committed.
  platform::AdviseHugePages({begin, static_cast<std::size_t>(size_bytes)});
  return std::unique_ptr<MemoryOwner>(
      std::make_unique<MappedMemory>(begin, static_cast<std::size_t>(size_bytes)));
}

}  // namespace kvbm
