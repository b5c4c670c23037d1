#ifndef KVBM_COPY_JOB_PLAN_H_
#define KVBM_COPY_JOB_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "copy/copy_runs.h"
#include "kvbm/job.h"

namespace kvbm {

/// Part of a piece, summed by itself: its sum is joined to the others of its block at the end.
struct SumPart {
  std::size_t block = 0;
  const std::byte* bytes = nullptr;
  std::size_t length = 0;
  std::uint32_t sum = 0;
};

/// What one thread does in one go: a range of `runs`, of `file_copies` or of `loose_parts`.
struct JobItem {
  enum class Kind : std::uint8_t { kCopy, kTranspose, kFile, kSum };
  Kind kind = Kind::kCopy;
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// A read into `target`, or a write of `source`.
struct FileCopy {
  const File* file = nullptr;
  std::uint64_t offset = 0;
  const std::byte* source = nullptr;
  std::byte* target = nullptr;
  std::size_t length = 0;
  /// Of `warm_parts`: summed after the read or before the write, while the bytes are cached.
  std::size_t first_part = 0;
  std::size_t part_count = 0;
};

/// What a job does. Every part is summed once: by the run whose `sum` points to it, by the file
/// copy that names it, or as a loose one in a phase of its own.
struct JobPlan {
  std::vector<Region> regions;
  std::vector<CopyRun> runs;
  std::vector<FileCopy> file_copies;
  /// In the order of their pieces. `runs` point into it.
  std::vector<SumPart> parts;
  std::vector<std::uint32_t> warm_parts;
  std::vector<std::uint32_t> loose_parts;
  std::vector<JobItem> copy_items;
  std::vector<JobItem> sum_items;
  /// By block; meaningful where `has_sum` is set.
  std::vector<std::uint32_t> sums;
  std::vector<std::uint8_t> has_sum;
  SumWhen sum_when = SumWhen::kBefore;
  std::optional<Transpose> transpose;
  bool small = false;
};

}  // namespace kvbm

#endif  // KVBM_COPY_JOB_PLAN_H_
