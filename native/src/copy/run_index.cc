#include "copy/run_index.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace kvbm {
namespace {

std::uintptr_t AddressOf(const std::byte* at) { return reinterpret_cast<std::uintptr_t>(at); }

bool Contains(const RunIndex::Range& range, const std::byte* at) {
  return AddressOf(at) - AddressOf(range.begin) < range.length;
}

}  // namespace

RunIndex::Range RunIndex::Find(const std::byte* at) {
  const Range* const begins = FindBegin(at);
  return begins != nullptr ? *begins : Search(at);
}

const RunIndex::Range* RunIndex::FindBegin(const std::byte* at) {
  if (slots_.empty()) MakeSlots();
  for (std::size_t slot = SlotOf(at); slots_[slot] != 0; slot = (slot + 1) % slots_.size()) {
    const Range& range = ranges_[slots_[slot] - 1];
    if (range.begin == at) return &range;
  }
  return nullptr;
}

void RunIndex::MakeSlots() {
  const std::size_t size = std::bit_ceil(2 * ranges_.size() + 2);
  shift_ = 64 - std::countr_zero(size);
  slots_.resize(size);
  for (std::size_t i = 0; i < ranges_.size(); i++) {
    std::size_t slot = SlotOf(ranges_[i].begin);
    while (slots_[slot] != 0) slot = (slot + 1) % size;
    slots_[slot] = static_cast<std::uint32_t>(i + 1);
  }
}

/// The highest bits of a product with 2^64 divided by the golden ratio: blocks lie at even steps.
std::size_t RunIndex::SlotOf(const std::byte* at) const {
  return static_cast<std::size_t>(std::uint64_t{AddressOf(at)} * 0x9e3779b97f4a7c15U >> shift_);
}

RunIndex::Range RunIndex::Search(const std::byte* at) {
  if (sorted_.size() != ranges_.size()) {
    sorted_ = ranges_;
    std::ranges::sort(sorted_, std::less<>(), &Range::begin);
  }
  const auto next = std::ranges::upper_bound(sorted_, at, std::less<>(), &Range::begin);
  if (next != sorted_.begin() && Contains(*(next - 1), at)) return *(next - 1);
  const auto* const end = reinterpret_cast<const std::byte*>(UINTPTR_MAX);
  return {next == sorted_.end() ? end : next->begin, 0, kNone};
}

}  // namespace kvbm
