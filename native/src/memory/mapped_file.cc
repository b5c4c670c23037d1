#include <algorithm>
#include <utility>

#include "kvbm/memory.h"
#include "platform/platform.h"

namespace kvbm {
namespace {

class MappedFile final : public MemoryOwner {
 public:
  MappedFile(std::shared_ptr<File> file, std::byte* begin, std::size_t size_bytes)
      : file_(std::move(file)), bytes_(begin, size_bytes) {}
  ~MappedFile() override { platform::UnmapFile(bytes_.data(), bytes_.size()); }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // Asked each time: touching what lies behind the end of a file that was cut ends the process.
  std::span<std::byte> Bytes() const override {
    const Result<std::uint64_t> size = file_->Size();
    const std::uint64_t there = size.ok() ? size.value() : 0;
    return bytes_.first(std::min<std::uint64_t>(bytes_.size(), there));
  }
  bool IsLasting() const override { return false; }

 private:
  const std::shared_ptr<File> file_;
  const std::span<std::byte> bytes_;
};

}  // namespace

Result<std::unique_ptr<MemoryOwner>> MapFile(std::shared_ptr<File> file, std::uint64_t size_bytes) {
  KVBM_ASSIGN_OR_RETURN(const Reservation reserved, file->Reserve(0, size_bytes));
  if (reserved == Reservation::kSparse) return std::unique_ptr<MemoryOwner>();
  std::byte* const begin = file->Map(static_cast<std::size_t>(size_bytes));
  if (begin == nullptr) return std::unique_ptr<MemoryOwner>();
  return std::unique_ptr<MemoryOwner>(
      std::make_unique<MappedFile>(std::move(file), begin, static_cast<std::size_t>(size_bytes)));
}

}  // namespace kvbm
