#ifndef KVBM_JOB_H_
#define KVBM_JOB_H_

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

/// A checked job: keeps its regions, is cut into items that threads may run in any order, and has
/// up to two phases that must run one after the other.
class Job {
 public:
  /// `kInvalidArgument` before anything is touched.
  static Result<std::unique_ptr<Job>> Create(const RegionTable& table, const JobRows& rows);

  /// Whether it needs no disk and is over before anybody notices.
  bool small() const { return small_; }

  std::size_t phase_count() const { return 2; }
  std::size_t ItemCount(std::size_t phase) const;
  /// Whether items of that phase read or write files.
  bool UsesDisk(std::size_t phase) const { return touches_file_ && !IsSumPhase(phase); }
  /// Items of one phase may run at the same time.
  Status RunItem(std::size_t phase, std::size_t item);
  /// All of it, here and now.
  Status RunAll();

  /// Writes the sums into the places of their blocks; those without pieces keep their number.
  void WriteSums(std::span<std::uint32_t> into) const;

 private:
  /// One transfer. `file` is null between memory and memory; else the file's end is `offset`.
  struct Copy {
    const std::byte* source = nullptr;
    std::byte* target = nullptr;
    const File* file = nullptr;
    std::uint64_t offset = 0;
    std::size_t length = 0;
  };
  struct Piece {
    std::size_t block = 0;
    std::span<const std::byte> bytes;
  };
  struct Sum {
    std::size_t block = 0;
    std::size_t first_piece = 0;
    std::size_t piece_count = 0;
    std::uint32_t value = 0;
  };
  /// A range of `copies_` or of `sums_`.
  struct Item {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  class Builder;

  bool IsSumPhase(std::size_t phase) const {
    return (phase == 0) == (sum_when_ == SumWhen::kBefore);
  }
  Status RunCopy(const Copy& copy) const;
  void RunSum(Sum& sum) const;

  std::vector<Region> regions_;
  std::vector<Copy> copies_;
  std::vector<Piece> pieces_;
  std::vector<Sum> sums_;
  std::vector<Item> copy_items_;
  std::vector<Item> sum_items_;
  SumWhen sum_when_ = SumWhen::kBefore;
  std::optional<Transpose> transpose_;
  bool touches_file_ = false;
  bool small_ = false;
};

}  // namespace kvbm

#endif  // KVBM_JOB_H_
