#ifndef KVBM_JOB_H_
#define KVBM_JOB_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kvbm/region_table.h"
#include "kvbm/status.h"

namespace kvbm {

enum class SumWhen : std::uint8_t { kBefore, kAfter };

/// Every run is a table of cells whose rows and columns change places on the way. Memory to memory
/// only; the ends of a run must not overlap.
struct Transpose {
  /// Of the source.
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t cell_bytes = 0;
};

/// A transfer job as JavaScript gives it.
struct JobRows {
  /// Rows of 5: source region, source offset, target region, target offset, length.
  std::span<const double> runs;
  /// Rows of 4: block, region, offset, length.
  std::span<const double> pieces;
  /// How many blocks `pieces` may name.
  std::size_t blocks = 0;
  SumWhen sum_when = SumWhen::kBefore;
  std::optional<Transpose> transpose = std::nullopt;
};

/// How jobs are cut, so that threads share them and the disk gets a queue.
struct ItemSizes {
  /// Jobs of memory up to this run at once, on the caller's thread.
  std::uint64_t inline_bytes = std::uint64_t{64} << 10;
  /// A longer row is cut.
  std::uint64_t memory_row_bytes_max = std::uint64_t{1} << 20;
  std::uint64_t file_row_bytes_max = std::uint64_t{1} << 20;
  /// Shorter rows go together, so that handing them out costs nothing; to the disk fewer of them.
  /// Memory of a large job goes in about `memory_items` items, none longer than the maximum.
  std::uint64_t memory_item_bytes = std::uint64_t{256} << 10;
  std::uint64_t memory_item_bytes_max = std::uint64_t{4} << 20;
  std::uint64_t memory_items = 32;
  std::uint64_t file_item_bytes = std::uint64_t{128} << 10;
};

struct JobPlan;

/// A checked job: keeps its regions, is cut into items that threads may run in any order, and has
/// up to two phases that must run one after the other.
class Job {
 public:
  /// `kInvalidArgument` before anything is touched.
  static Result<std::unique_ptr<Job>> Create(const RegionTable& table, const JobRows& rows,
                                             const ItemSizes& sizes = {});
  ~Job();
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  /// Whether it needs no disk and is over before anybody notices.
  bool small() const;

  std::size_t phase_count() const { return 2; }
  std::size_t ItemCount(std::size_t phase) const;
  /// Whether items of that phase read or write files.
  bool UsesDisk(std::size_t phase) const;
  /// Items of one phase may run at the same time; each runs once.
  Status RunItem(std::size_t phase, std::size_t item);
  /// All of it, here and now.
  Status RunAll();

  /// Writes the sums into the places of their blocks; those without pieces keep their number.
  void WriteSums(std::span<std::uint32_t> into) const;

 private:
  explicit Job(std::unique_ptr<JobPlan> plan);

  /// Whether that phase has the sums that need a look of their own at the bytes.
  bool IsSumPhase(std::size_t phase) const;

  const std::unique_ptr<JobPlan> plan_;
  std::atomic<std::size_t> items_left_;
};

}  // namespace kvbm

#endif  // KVBM_JOB_H_
