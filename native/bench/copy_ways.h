#ifndef KVBM_BENCH_COPY_WAYS_H_
#define KVBM_BENCH_COPY_WAYS_H_

#include <cstddef>
#include <span>
#include <string_view>

namespace kvbm::bench {

/// A block to be copied.
struct Block {
  std::byte* target;
  const std::byte* source;
};

/// Copies blocks of `bytes` each, a multiple of 1024, on the caller's thread.
using CopyWay = void (*)(std::span<const Block> blocks, std::size_t bytes);

/// Null for a name that is none, or that this CPU cannot do: `memcpy`, `non-temporal`, `split`,
/// `interleaved`, `ahead`, which share no code with the core; `core` and `core-sum` are the core's.
CopyWay FindCopyWay(std::string_view name);

}  // namespace kvbm::bench

#endif  // KVBM_BENCH_COPY_WAYS_H_
