#ifndef KVBM_COPY_FUSE_SUMS_H_
#define KVBM_COPY_FUSE_SUMS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "copy/job_plan.h"
#include "copy/run_index.h"

namespace kvbm {

/// Lets the copies of a plan sum what they move, so that it is not read once more.
class SumFuser {
 public:
  /// The plan has all its runs and file copies, and no parts yet.
  SumFuser(JobPlan& plan, std::size_t pieces);

  /// Adds a piece, cut where copies begin and end, and into parts of at most `bytes_max`.
  void AddPiece(std::size_t block, std::span<const std::byte> bytes, std::size_t bytes_max);

  /// After the last piece: cuts the runs accordingly. Parts that no copy can sum become loose.
  void Fuse();

 private:
  struct Match {
    std::size_t copy = 0;
    std::uint32_t part = 0;
  };

  void IndexCopies();
  void Add(const std::byte* begin, std::size_t length, std::size_t copy);
  void SortMatches();
  void FuseRuns(std::span<const Match> matches);
  /// Cuts the matched parts out of a run; one that already lies behind becomes loose.
  void CutRun(CopyRun rest, std::span<const Match> matches);
  void CutOff(CopyRun& rest, std::size_t length, std::uint32_t* sum);
  void FuseFileCopies(std::span<const Match> matches, std::size_t first_copy);

  bool SumsSources() const { return plan_.sum_when == SumWhen::kBefore; }

  JobPlan& plan_;
  RunIndex index_;
  /// Of runs by their index, then of file copies by theirs plus the number of runs.
  std::vector<Match> matches_;
};

}  // namespace kvbm

#endif  // KVBM_COPY_FUSE_SUMS_H_
