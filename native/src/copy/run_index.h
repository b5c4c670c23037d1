#ifndef KVBM_COPY_RUN_INDEX_H_
#define KVBM_COPY_RUN_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kvbm {

/// Ranges of memory by address. Asked where ranges begin, in any order, it looks once into a hash
/// table; asked where none begins, it sorts them, once, and searches.
class RunIndex {
 public:
  static constexpr std::size_t kNone = SIZE_MAX;

  struct Range {
    const std::byte* begin = nullptr;
    std::size_t length = 0;
    /// The caller's.
    std::size_t number = 0;
  };

  void Reserve(std::size_t count) { ranges_.reserve(count); }
  /// Before the first question.
  void Add(const Range& range) { ranges_.push_back(range); }
  bool empty() const { return ranges_.empty(); }

  /// A range that contains the byte; or one of no length, which begins where the next range does,
  /// at the end of all memory if there is none, with the number `kNone`.
  Range Find(const std::byte* at);

 private:
  const Range* FindBegin(const std::byte* at);
  Range Search(const std::byte* at);
  void MakeSlots();
  std::size_t SlotOf(const std::byte* at) const;

  /// In the order of adding.
  std::vector<Range> ranges_;
  /// Indices of `ranges_` plus one, by where they begin: open addressing, at most half full.
  std::vector<std::uint32_t> slots_;
  int shift_ = 0;
  std::vector<Range> sorted_;
};

}  // namespace kvbm

#endif  // KVBM_COPY_RUN_INDEX_H_
