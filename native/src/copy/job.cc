#include "kvbm/job.h"

#include <cstring>

#include "copy/transpose.h"
#include "kvbm/crc32c.h"

namespace kvbm {

std::size_t Job::ItemCount(std::size_t phase) const {
  return IsSumPhase(phase) ? sum_items_.size() : copy_items_.size();
}

Status Job::RunItem(std::size_t phase, std::size_t item) {
  if (IsSumPhase(phase)) {
    const Item& range = sum_items_[item];
    for (std::size_t i = range.begin; i < range.end; i++) RunSum(sums_[i]);
    return {};
  }
  const Item& range = copy_items_[item];
  for (std::size_t i = range.begin; i < range.end; i++) KVBM_RETURN_IF_ERROR(RunCopy(copies_[i]));
  return {};
}

Status Job::RunAll() {
  for (std::size_t phase = 0; phase < phase_count(); phase++) {
    for (std::size_t item = 0; item < ItemCount(phase); item++) {
      KVBM_RETURN_IF_ERROR(RunItem(phase, item));
    }
  }
  return {};
}

void Job::WriteSums(std::span<std::uint32_t> into) const {
  for (const Sum& sum : sums_) {
    if (sum.block < into.size()) into[sum.block] = sum.value;
  }
}

Status Job::RunCopy(const Copy& copy) const {
  if (transpose_) {
    TransposeCells(copy.target, copy.source, *transpose_);
    return {};
  }
  if (copy.file == nullptr) {
    std::memmove(copy.target, copy.source, copy.length);
    return {};
  }
  if (copy.target != nullptr) return copy.file->ReadAll({copy.target, copy.length}, copy.offset);
  return copy.file->Write({copy.source, copy.length}, copy.offset);
}

void Job::RunSum(Sum& sum) const {
  std::uint32_t crc = 0;
  for (std::size_t i = 0; i < sum.piece_count; i++) {
    crc = Crc32c(pieces_[sum.first_piece + i].bytes, crc);
  }
  sum.value = crc;
}

}  // namespace kvbm
