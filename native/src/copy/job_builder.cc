#include <algorithm>
#include <string>
#include <utility>

#include "copy/fuse_sums.h"
#include "copy/job_plan.h"
#include "copy/region_memo.h"
#include "kvbm/job.h"
#include "text.h"

namespace kvbm {
namespace {

constexpr std::size_t kRunFields = 5;
constexpr std::size_t kPieceFields = 4;

Status CheckShape(const char* name, std::size_t size, std::size_t fields) {
  if (size % fields == 0) return {};
  return InvalidArgument(
      Text(name, ".length: expected a multiple of ", fields, ", got ", size, " (number)"));
}

/// A number that was checked to be an offset.
std::uint64_t Checked(double offset) { return static_cast<std::uint64_t>(offset); }

/// Whether both are whole numbers. Casting is what a loop over many rows can afford.
bool AreOffsets(double offset, double length) {
  constexpr auto max = static_cast<double>(kOffsetMax);
  if (!(offset >= 0 && offset <= max && length >= 0 && length <= max)) return false;
  return static_cast<double>(Checked(offset)) == offset &&
         static_cast<double>(Checked(length)) == length;
}

Status CheckInside(const char* name, const UsedRegion& used, double offset, double length) {
  const bool memory = used.region.file == nullptr;
  const std::uint64_t size = memory ? used.bytes.size() : kOffsetMax;
  if (AreOffsets(offset, length) && Checked(offset) + Checked(length) <= size) return {};
  return CheckRange(name, used.region, offset, length);
}

/// Makes a job of rows: check all, then resolve, cut, fuse and group.
class PlanBuilder {
 public:
  PlanBuilder(const RegionTable& table, const ItemSizes& sizes)
      : memo_(table), sizes_(sizes), plan_(std::make_unique<JobPlan>()) {}

  Result<std::unique_ptr<JobPlan>> Build(const JobRows& rows) {
    KVBM_RETURN_IF_ERROR(CheckShape("runs", rows.runs.size(), kRunFields));
    KVBM_RETURN_IF_ERROR(CheckShape("sums.pieces", rows.pieces.size(), kPieceFields));
    KVBM_RETURN_IF_ERROR(SetTranspose(rows.transpose));
    plan_->sum_when = rows.sum_when;
    KVBM_RETURN_IF_ERROR(AddRuns(rows.runs));
    KVBM_RETURN_IF_ERROR(AddPieces(rows.pieces, rows.blocks));
    plan_->regions = memo_.Regions();
    GroupAll();
    return std::move(plan_);
  }

 private:
  struct End {
    const UsedRegion& used;
    std::uint64_t offset;

    const File* file() const { return used.region.file.get(); }
    std::byte* bytes() const { return used.bytes.data() + offset; }
    std::uint64_t id() const { return used.region.id; }
  };

  Status SetTranspose(const std::optional<Transpose>& transpose) {
    plan_->transpose = transpose;
    if (!transpose) return {};
    const std::pair<const char*, std::size_t> numbers[] = {{"rows", transpose->rows},
                                                           {"columns", transpose->columns},
                                                           {"cellBytes", transpose->cell_bytes}};
    table_bytes_ = 1;
    for (const auto& [name, value] : numbers) {
      const std::uint64_t max = kOffsetMax / table_bytes_;
      if (value == 0 || value > max) {
        return InvalidArgument(
            Text("transpose.", name, ": expected 1 to ", max, ", got ", value, " (number)"));
      }
      table_bytes_ *= value;
    }
    return {};
  }

  // ── Runs ──

  Status AddRuns(std::span<const double> rows) {
    plan_->runs.reserve(rows.size() / kRunFields);
    for (; !rows.empty(); rows = rows.subspan(kRunFields)) {
      KVBM_RETURN_IF_ERROR(AddRun(rows.first<kRunFields>()));
    }
    return {};
  }

  Status AddRun(std::span<const double, kRunFields> row) {
    KVBM_ASSIGN_OR_RETURN(const UsedRegion* source, memo_.Use(RegionColumn::kSource, row[0]));
    KVBM_ASSIGN_OR_RETURN(const UsedRegion* target, memo_.Use(RegionColumn::kTarget, row[2]));
    if (source->region.file != nullptr && target->region.file != nullptr) {
      return InvalidArgument(Text("runs: ", source->region.id, " and ", target->region.id,
                                  " are both files. Copy through memory, in two jobs."));
    }
    KVBM_RETURN_IF_ERROR(CheckInside("runs", *source, row[1], row[4]));
    KVBM_RETURN_IF_ERROR(CheckInside("runs", *target, row[3], row[4]));
    const End from = {*source, Checked(row[1])};
    const End to = {*target, Checked(row[3])};
    const bool file = from.file() != nullptr || to.file() != nullptr;
    return file ? AddFileRow(from, to, Checked(row[4])) : AddMemoryRow(from, to, Checked(row[4]));
  }

  Status AddMemoryRow(const End& from, const End& to, std::uint64_t length) {
    const CopyRun run = {to.bytes(), from.bytes(), static_cast<std::size_t>(length)};
    const bool overlap = EndsOverlap(run);
    if (plan_->transpose) KVBM_RETURN_IF_ERROR(CheckTable(from, to, length, overlap));
    copied_bytes_ += length;
    // A row whose ends overlap moves in one piece: cut, its parts would overwrite each other.
    const bool whole = overlap || plan_->transpose;
    ForEachCut(length, whole ? length : sizes_.memory_row_bytes_max,
               [&](std::size_t at, std::size_t count) {
                 plan_->runs.push_back({run.target + at, run.source + at, count});
               });
    return {};
  }

  Status CheckTable(const End& from, const End& to, std::uint64_t length, bool overlap) const {
    if (length != table_bytes_) {
      return InvalidArgument(Text("runs: expected ", table_bytes_,
                                  " bytes, the table that job.transpose gives, got ",
                                  length, " (number)"));
    }
    if (!overlap) return {};
    return InvalidArgument(Text("runs: ", length, " bytes at offset ", from.offset, " of region ",
                                from.id(), " and at offset ", to.offset, " of region ", to.id(),
                                " overlap. Transpose into memory that the run does not read."));
  }

  Status AddFileRow(const End& from, const End& to, std::uint64_t length) {
    const bool read = from.file() != nullptr;
    if (plan_->transpose) {
      return InvalidArgument(Text("runs: ", (read ? from : to).id(),
                                  " is a file. Transpose from memory to memory, in another job."));
    }
    touches_file_ = true;
    ForEachCut(length, sizes_.file_row_bytes_max, [&](std::size_t at, std::size_t count) {
      FileCopy copy = {.file = read ? from.file() : to.file(),
                       .offset = (read ? from : to).offset + at,
                       .length = count};
      if (read) {
        copy.target = to.bytes() + at;
      } else {
        copy.source = from.bytes() + at;
      }
      plan_->file_copies.push_back(copy);
    });
    return {};
  }

  template <typename Add>
  static void ForEachCut(std::uint64_t length, std::uint64_t step, Add add) {
    for (std::uint64_t at = 0; at < length; at += step) {
      add(static_cast<std::size_t>(at), static_cast<std::size_t>(std::min(step, length - at)));
    }
  }

  // ── Sums ──

  Status AddPieces(std::span<const double> rows, std::size_t blocks) {
    if (rows.empty()) return {};
    plan_->sums.resize(blocks);
    plan_->has_sum.resize(blocks);
    SumFuser fuser(*plan_, rows.size() / kPieceFields);
    for (; !rows.empty(); rows = rows.subspan(kPieceFields)) {
      KVBM_RETURN_IF_ERROR(AddPiece(rows.first<kPieceFields>(), fuser));
    }
    fuser.Fuse();
    return {};
  }

  Status AddPiece(std::span<const double, kPieceFields> row, SumFuser& fuser) {
    const std::size_t blocks = plan_->sums.size();
    if (!AreOffsets(row[0], 0) || Checked(row[0]) >= blocks) {
      return InvalidArgument(Text("sums.pieces: expected a block index below ", blocks,
                                  ", the length of sums.into, got ", row[0], " (number)"));
    }
    KVBM_ASSIGN_OR_RETURN(const UsedRegion* used, memo_.Use(RegionColumn::kPiece, row[1]));
    if (used->region.file != nullptr) {
      return InvalidArgument(Text("sums.pieces: expected regions of memory, not files, got ",
                                  used->region.id, " (number)"));
    }
    KVBM_RETURN_IF_ERROR(CheckInside("sums.pieces", *used, row[2], row[3]));
    const auto block = static_cast<std::size_t>(row[0]);
    plan_->has_sum[block] = 1;
    fuser.AddPiece(block,
                   used->bytes.subspan(static_cast<std::size_t>(row[2]),
                                       static_cast<std::size_t>(row[3])),
                   static_cast<std::size_t>(sizes_.memory_row_bytes_max));
    return {};
  }

  // ── Items ──

  void GroupAll() {
    JobPlan& plan = *plan_;
    const auto kind = plan.transpose ? JobItem::Kind::kTranspose : JobItem::Kind::kCopy;
    std::uint64_t loose_bytes = 0;
    Group(kind, plan.runs.size(), MemoryItemBytes(), plan.copy_items,
          [&](std::size_t i) { return plan.runs[i].length; });
    Group(JobItem::Kind::kFile, plan.file_copies.size(), sizes_.file_item_bytes, plan.copy_items,
          [&](std::size_t i) { return plan.file_copies[i].length; });
    Group(JobItem::Kind::kSum, plan.loose_parts.size(), sizes_.memory_item_bytes, plan.sum_items,
          [&](std::size_t i) {
            const std::size_t bytes = plan.parts[plan.loose_parts[i]].length;
            loose_bytes += bytes;
            return bytes;
          });
    plan.small = !touches_file_ && copied_bytes_ + loose_bytes <= sizes_.inline_bytes;
  }

  /// Large jobs have larger items: handing one out breaks the streams and costs a lock.
  std::uint64_t MemoryItemBytes() const {
    return std::max(sizes_.memory_item_bytes,
                    std::min(sizes_.memory_item_bytes_max, copied_bytes_ / sizes_.memory_items));
  }

  /// Cuts 0 … count into items of at least `bytes_min`, the last one perhaps less.
  template <typename Size>
  static void Group(JobItem::Kind kind, std::size_t count, std::uint64_t bytes_min,
                    std::vector<JobItem>& items, Size size_of) {
    std::uint64_t bytes = 0;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < count; i++) {
      bytes += size_of(i);
      if (bytes < bytes_min && i + 1 < count) continue;
      items.push_back({kind, begin, i + 1});
      begin = i + 1;
      bytes = 0;
    }
  }

  RegionMemo memo_;
  const ItemSizes sizes_;
  std::unique_ptr<JobPlan> plan_;
  std::uint64_t copied_bytes_ = 0;
  /// Length of every run of a transposing job.
  std::uint64_t table_bytes_ = 0;
  bool touches_file_ = false;
};

}  // namespace

Result<std::unique_ptr<Job>> Job::Create(const RegionTable& table, const JobRows& rows,
                                         const ItemSizes& sizes) {
  KVBM_ASSIGN_OR_RETURN(std::unique_ptr<JobPlan> plan, PlanBuilder(table, sizes).Build(rows));
  return std::unique_ptr<Job>(new Job(std::move(plan)));
}

}  // namespace kvbm
