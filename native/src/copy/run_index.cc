#include "copy/run_index.h"

#include <algorithm>
#include <functional>

namespace kvbm {
namespace {

std::uintptr_t AddressOf(const std::byte* at) { return reinterpret_cast<std::uintptr_t>(at); }

bool Contains(const RunIndex::Range& range, const std::byte* at) {
  return AddressOf(at) - AddressOf(range.begin) < range.length;
}

}  // namespace

RunIndex::Range RunIndex::Find(const std::byte* at) {
  for (std::size_t i = likely_; i < std::min(likely_ + 2, ranges_.size()); i++) {
    if (!Contains(ranges_[i], at)) continue;
    likely_ = i;
    return ranges_[i];
  }
  return Search(at);
}

RunIndex::Range RunIndex::Search(const std::byte* at) {
  if (!sorted_) std::ranges::sort(ranges_, std::less<>(), &Range::begin);
  sorted_ = true;
  const auto next = std::ranges::upper_bound(ranges_, at, std::less<>(), &Range::begin);
  const auto place = static_cast<std::size_t>(next - ranges_.begin());
  likely_ = place == 0 ? 0 : place - 1;
  if (place > 0 && Contains(ranges_[likely_], at)) return ranges_[likely_];
  const auto* const end = reinterpret_cast<const std::byte*>(UINTPTR_MAX);
  return {next == ranges_.end() ? end : next->begin, 0, kNone};
}

}  // namespace kvbm
