#ifndef KVBM_COPY_RUN_INDEX_H_
#define KVBM_COPY_RUN_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kvbm {

/// Ranges of memory by address. Asked for addresses in the order in which ranges were added, it
/// answers without a search; else it sorts them, once.
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
  Range Search(const std::byte* at);

  /// In the order of adding until the first search, by address from then on.
  std::vector<Range> ranges_;
  std::size_t likely_ = 0;
  bool sorted_ = false;
};

}  // namespace kvbm

#endif  // KVBM_COPY_RUN_INDEX_H_
