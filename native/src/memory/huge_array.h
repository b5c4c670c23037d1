#ifndef KVBM_MEMORY_HUGE_ARRAY_H_
#define KVBM_MEMORY_HUGE_ARRAY_H_

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include "kvbm/memory.h"

namespace kvbm {

/// Memory of its own, on huge pages where the system gives them, zero and made real by use.
/// `kStorageFull` when the system refuses.
Result<std::unique_ptr<MemoryOwner>> MapHugeMemory(std::uint64_t size_bytes);

/// An array of numbers in such memory: where a large one is filled once, faults of small pages cost
/// more than the filling.
template <typename T>
class HugeArray {
 public:
  static Result<HugeArray> Of(std::size_t count) {
    KVBM_ASSIGN_OR_RETURN(auto memory, MapHugeMemory(count * sizeof(T)));
    return HugeArray(std::move(memory), count);
  }

  std::span<T> span() const {
    return {reinterpret_cast<T*>(memory_->Bytes().data()), count_};
  }

 private:
  HugeArray(std::unique_ptr<MemoryOwner> memory, std::size_t count)
      : memory_(std::move(memory)), count_(count) {}

  std::unique_ptr<MemoryOwner> memory_;
  std::size_t count_;
};

}  // namespace kvbm

#endif  // KVBM_MEMORY_HUGE_ARRAY_H_
