#include <algorithm>
#include <unordered_map>
#include <utility>

#include "kvbm/job.h"
#include "text.h"

namespace kvbm {
namespace {

constexpr std::size_t kRunFields = 5;
constexpr std::size_t kPieceFields = 4;

/// Jobs up to this run at once, on the caller's thread.
constexpr std::uint64_t kInlineBytes = 64 * 1024;
/// A longer row is cut, so that several threads share it and the disk gets a queue.
constexpr std::uint64_t kCopyBytesMax = std::uint64_t{1} << 20;
/// Short rows go together, so that handing them out costs nothing; to the disk fewer of them.
constexpr std::uint64_t kMemoryItemBytes = 256 * 1024;
constexpr std::uint64_t kFileItemBytes = 128 * 1024;

}  // namespace

/// Makes a job of rows: check all, then resolve, cut and group.
class Job::Builder {
 public:
  explicit Builder(const RegionTable& table) : table_(table), job_(new Job()) {}

  Result<std::unique_ptr<Job>> Build(const JobRows& rows) {
    KVBM_RETURN_IF_ERROR(CheckShape("runs", rows.runs.size(), kRunFields));
    KVBM_RETURN_IF_ERROR(CheckShape("sums.pieces", rows.pieces.size(), kPieceFields));
    KVBM_RETURN_IF_ERROR(AddTranspose(rows.transpose));
    for (std::size_t at = 0; at < rows.runs.size(); at += kRunFields) {
      KVBM_RETURN_IF_ERROR(AddRun(rows.runs.subspan(at, kRunFields)));
    }
    for (std::size_t at = 0; at < rows.pieces.size(); at += kPieceFields) {
      KVBM_RETURN_IF_ERROR(AddPiece(rows.pieces.subspan(at, kPieceFields), rows.blocks));
    }
    job_->sum_when_ = rows.sum_when;
    MakeSums();
    GroupCopies();
    GroupSums();
    job_->small_ = !job_->touches_file_ && total_bytes_ <= kInlineBytes;
    return std::move(job_);
  }

 private:
  /// A region of the job with its bytes as they are at the call.
  struct Resolved {
    Region region;
    std::span<std::byte> bytes;
  };

  static Status CheckShape(const char* name, std::size_t size, std::size_t fields) {
    if (size % fields == 0) return {};
    return InvalidArgument(
        Text(name, ".length: expected a multiple of ", fields, ", got ", size, " (number)"));
  }

  Status AddTranspose(const std::optional<Transpose>& transpose) {
    if (!transpose) return {};
    std::uint64_t bytes = 1;
    for (const auto& [name, value] : {std::pair("rows", transpose->rows),
                                      std::pair("columns", transpose->columns),
                                      std::pair("cellBytes", transpose->cell_bytes)}) {
      if (value == 0 || value > kOffsetMax / bytes) {
        return InvalidArgument(Text("transpose.", name, ": expected 1 to ", kOffsetMax / bytes,
                                    ", got ", value, " (number)"));
      }
      bytes *= value;
    }
    table_bytes_ = bytes;
    job_->transpose_ = transpose;
    return {};
  }

  Status Use(double id, const Resolved*& resolved) {
    const auto known = used_.find(id);
    if (known != used_.end()) {
      resolved = &known->second;
      return {};
    }
    KVBM_ASSIGN_OR_RETURN(Region region, table_.Find(id));
    const auto bytes = region.memory == nullptr ? std::span<std::byte>() : region.memory->Bytes();
    job_->touches_file_ = job_->touches_file_ || region.file != nullptr;
    job_->regions_.push_back(region);
    resolved = &used_.emplace(id, Resolved{std::move(region), bytes}).first->second;
    return {};
  }

  Status AddRun(std::span<const double> row) {
    const Resolved* source = nullptr;
    const Resolved* target = nullptr;
    KVBM_RETURN_IF_ERROR(Use(row[0], source));
    KVBM_RETURN_IF_ERROR(Use(row[2], target));
    if (source->region.file != nullptr && target->region.file != nullptr) {
      return InvalidArgument(Text("runs: ", source->region.id, " and ", target->region.id,
                                  " are both files. Copy through memory, in two jobs."));
    }
    KVBM_RETURN_IF_ERROR(CheckRange("runs", source->region, row[1], row[4]));
    KVBM_RETURN_IF_ERROR(CheckRange("runs", target->region, row[3], row[4]));
    if (job_->transpose_) KVBM_RETURN_IF_ERROR(CheckTable(*source, *target, row));
    AddCopies(*source, static_cast<std::uint64_t>(row[1]), *target,
              static_cast<std::uint64_t>(row[3]), static_cast<std::uint64_t>(row[4]));
    return {};
  }

  Status CheckTable(const Resolved& source, const Resolved& target,
                    std::span<const double> row) const {
    const auto length = static_cast<std::uint64_t>(row[4]);
    if (length != table_bytes_) {
      return InvalidArgument(Text("runs: expected ", table_bytes_,
                                  " bytes, the table that job.transpose gives, got ", length,
                                  " (number)"));
    }
    for (const Resolved* end : {&source, &target}) {
      if (end->region.file == nullptr) continue;
      return InvalidArgument(Text("runs: ", end->region.id,
                                  " is a file. Transpose from memory to memory, in another job."));
    }
    if (Overlap(source, static_cast<std::uint64_t>(row[1]), target,
                static_cast<std::uint64_t>(row[3]), length)) {
      return InvalidArgument(Text("runs: ", length, " bytes at offset ", row[1], " of region ",
                                  source.region.id, " and at offset ", row[3], " of region ",
                                  target.region.id,
                                  " overlap. Transpose into memory that the run does not read."));
    }
    return {};
  }

  void AddCopies(const Resolved& source, std::uint64_t from, const Resolved& target,
                 std::uint64_t to, std::uint64_t length) {
    total_bytes_ += length;
    const bool whole =
        job_->transpose_.has_value() || Overlap(source, from, target, to, length);
    const std::uint64_t step = whole ? length : kCopyBytesMax;
    for (std::uint64_t at = 0; at < length; at += step) {
      const auto count = static_cast<std::size_t>(std::min(step, length - at));
      job_->copies_.push_back(MakeCopy(source, from + at, target, to + at, count));
    }
  }

  /// A row whose ends overlap moves in one piece: cut, its parts would overwrite each other.
  static bool Overlap(const Resolved& source, std::uint64_t from, const Resolved& target,
                      std::uint64_t to, std::uint64_t length) {
    if (source.region.memory == nullptr || target.region.memory == nullptr) return false;
    const auto begin = reinterpret_cast<std::uintptr_t>(source.bytes.data()) + from;
    const auto other = reinterpret_cast<std::uintptr_t>(target.bytes.data()) + to;
    return (begin < other ? other - begin : begin - other) < length;
  }

  static Copy MakeCopy(const Resolved& source, std::uint64_t from, const Resolved& target,
                       std::uint64_t to, std::size_t length) {
    Copy copy;
    copy.length = length;
    if (source.region.file != nullptr) {
      copy.file = source.region.file.get();
      copy.offset = from;
    } else {
      copy.source = source.bytes.data() + from;
    }
    if (target.region.file != nullptr) {
      copy.file = target.region.file.get();
      copy.offset = to;
    } else {
      copy.target = target.bytes.data() + to;
    }
    return copy;
  }

  Status AddPiece(std::span<const double> row, std::size_t blocks) {
    std::uint64_t block = 0;
    if (!ToOffset(row[0], block) || block >= blocks) {
      return InvalidArgument(Text("sums.pieces: expected a block index below ", blocks,
                                  ", the length of sums.into, got ", row[0], " (number)"));
    }
    const Resolved* resolved = nullptr;
    KVBM_RETURN_IF_ERROR(Use(row[1], resolved));
    if (resolved->region.file != nullptr) {
      return InvalidArgument(Text("sums.pieces: expected regions of memory, not files, got ",
                                  resolved->region.id, " (number)"));
    }
    KVBM_RETURN_IF_ERROR(CheckRange("sums.pieces", resolved->region, row[2], row[3]));
    const auto bytes =
        resolved->bytes.subspan(static_cast<std::size_t>(row[2]), static_cast<std::size_t>(row[3]));
    job_->pieces_.push_back({static_cast<std::size_t>(block), bytes});
    total_bytes_ += bytes.size();
    return {};
  }

  /// Pieces of one block side by side, in their given order.
  void MakeSums() {
    std::vector<Piece>& pieces = job_->pieces_;
    if (!std::ranges::is_sorted(pieces, {}, &Piece::block)) {
      std::ranges::stable_sort(pieces, {}, &Piece::block);
    }
    for (std::size_t i = 0; i < pieces.size(); i++) {
      if (i == 0 || pieces[i].block != pieces[i - 1].block) {
        job_->sums_.push_back({pieces[i].block, i, 0, 0});
      }
      job_->sums_.back().piece_count++;
    }
  }

  void GroupCopies() {
    Group(job_->copies_.size(), job_->touches_file_ ? kFileItemBytes : kMemoryItemBytes,
          job_->copy_items_, [&](std::size_t i) { return job_->copies_[i].length; });
  }

  void GroupSums() {
    Group(job_->sums_.size(), kMemoryItemBytes, job_->sum_items_, [&](std::size_t i) {
      std::uint64_t bytes = 0;
      const Sum& sum = job_->sums_[i];
      for (std::size_t k = 0; k < sum.piece_count; k++) {
        bytes += job_->pieces_[sum.first_piece + k].bytes.size();
      }
      return bytes;
    });
  }

  /// Cuts 0 … count into items of at least `bytes_min`, the last one perhaps less.
  template <typename Size>
  static void Group(std::size_t count, std::uint64_t bytes_min, std::vector<Item>& items,
                    Size size_of) {
    std::uint64_t bytes = 0;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < count; i++) {
      bytes += size_of(i);
      if (bytes < bytes_min && i + 1 < count) continue;
      items.push_back({begin, i + 1});
      begin = i + 1;
      bytes = 0;
    }
  }

  const RegionTable& table_;
  std::unique_ptr<Job> job_;
  /// By number; pointers into it stay valid.
  std::unordered_map<double, Resolved> used_;
  std::uint64_t total_bytes_ = 0;
  /// Length of every run of a transposing job.
  std::uint64_t table_bytes_ = 0;
};

Result<std::unique_ptr<Job>> Job::Create(const RegionTable& table, const JobRows& rows) {
  return Builder(table).Build(rows);
}

}  // namespace kvbm
