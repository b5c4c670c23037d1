#include "copy/copy_runs.h"

#include <algorithm>
#include <cstring>

#include "copy/four_streams.h"
#include "hash/crc32c_by.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace kvbm {
namespace {

using streams::kLineBytes;
using streams::kStreams;

/// A run from here on is four streams of its own; shorter ones are taken four at a time.
constexpr std::size_t kSplitBytes = std::size_t{256} << 10;
/// Up to here the CPU is told what comes next; in longer runs it finds out and the hints only cost.
constexpr std::size_t kAheadBytesMax = std::size_t{32} << 10;
/// A portable copy is summed so many bytes at a time, while they are in the nearest cache.
constexpr std::size_t kWarmBytes = std::size_t{16} << 10;

/// Orders non-temporal stores before whatever tells other threads of them.
void PublishStores() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_sfence();
#endif
}

/// What is left of a run. Its target is at a line's begin.
struct Lane {
  const std::byte* source;
  std::byte* target;
  std::size_t left;
  /// Inverted, of what was copied.
  std::uint32_t crc;
  std::uint32_t* sum;

  std::size_t lines() const { return left / kLineBytes; }
};

/// Keeps four streams going until the runs are used up.
class Copier {
 public:
  Copier(std::span<const CopyRun> runs, const Kernels& kernels) : runs_(runs), kernels_(kernels) {}

  void Run() {
    for (; next_ < runs_.size(); next_++) Take(runs_[next_]);
    for (std::size_t k = 0; k < count_; k++) Split(lanes_[k]);
    PublishStores();
  }

 private:
  void Take(const CopyRun& run) {
    const bool streams = (run.sum == nullptr ? kernels_.copy : kernels_.copy_sum) != nullptr;
    if (!streams || run.length < kFourStreamsBytesMin || EndsOverlap(run)) return Move(run);
    if (run.length >= kSplitBytes) return Split(Begin(run));
    lanes_[count_++] = Begin(run);
    if (count_ == kStreams) Advance();
  }

  /// The portable way.
  void Move(const CopyRun& run) {
    if (run.sum == nullptr) {
      std::memmove(run.target, run.source, run.length);
      return;
    }
    const std::size_t step = EndsOverlap(run) ? run.length : kWarmBytes;
    std::uint32_t sum = 0;
    for (std::size_t at = 0; at < run.length; at += step) {
      const std::size_t bytes = std::min(step, run.length - at);
      std::memmove(run.target + at, run.source + at, bytes);
      sum = crc32c::By(kernels_, {run.target + at, bytes}, sum);
    }
    *run.sum = sum;
  }

  Lane Begin(const CopyRun& run) {
    Lane lane = {run.source, run.target, run.length, ~0U, run.sum};
    const std::size_t past = reinterpret_cast<std::uintptr_t>(run.target) % kLineBytes;
    if (past != 0) CopyShort(lane, kLineBytes - past);
    return lane;
  }

  /// Bytes at a lane's begin that are no lines.
  void CopyShort(Lane& lane, std::size_t bytes) {
    if (bytes == 0) return;
    std::memcpy(lane.target, lane.source, bytes);
    if (lane.sum != nullptr) lane.crc = kernels_.update(lane.crc, lane.target, bytes);
    Skip(lane, bytes);
  }

  static void Skip(Lane& lane, std::size_t bytes) {
    lane.source += bytes;
    lane.target += bytes;
    lane.left -= bytes;
  }

  void Finish(Lane& lane) {
    CopyShort(lane, lane.left);
    if (lane.sum != nullptr) *lane.sum = ~lane.crc;
  }

  void Split(Lane lane) {
    FourStreams four(lane.source, lane.target, lane.left);
    if (lane.sum == nullptr) {
      four.Copy(kernels_);
    } else {
      lane.crc = four.Sum(kernels_, kernels_.copy_sum, lane.crc);
    }
    Skip(lane, four.bytes());
    Finish(lane);
  }

  /// Goes on with all lanes until the first of them is done.
  void Advance() {
    const std::size_t lines = std::ranges::min(lanes_, {}, &Lane::lines).lines();
    streams::Streams streams;
    for (std::size_t k = 0; k < kStreams; k++) {
      streams.source[k] = reinterpret_cast<const unsigned char*>(lanes_[k].source);
      streams.target[k] = reinterpret_cast<unsigned char*>(lanes_[k].target);
      streams.ahead[k] = reinterpret_cast<const unsigned char*>(Ahead(k));
      streams.crc[k] = lanes_[k].crc;
    }
    KernelFor(lines)(streams, lines);
    count_ = 0;
    for (std::size_t k = 0; k < kStreams; k++) {
      Lane lane = lanes_[k];
      lane.crc = streams.crc[k];
      Skip(lane, lines * kLineBytes);
      if (lane.lines() == 0) {
        Finish(lane);
      } else {
        lanes_[count_++] = lane;
      }
    }
  }

  streams::Kernel KernelFor(std::size_t lines) const {
    const bool sums =
        std::ranges::any_of(lanes_, [](const Lane& lane) { return lane.sum != nullptr; });
    const bool ahead = lines * kLineBytes <= kAheadBytesMax && next_ + 1 < runs_.size();
    if (sums) return ahead ? kernels_.copy_sum_ahead : kernels_.copy_sum;
    return ahead ? kernels_.copy_ahead : kernels_.copy;
  }

  /// What will take this lane's place.
  const std::byte* Ahead(std::size_t lane) const {
    const std::size_t index = next_ + 1 + lane;
    return index < runs_.size() ? runs_[index].source : lanes_[lane].source;
  }

  const std::span<const CopyRun> runs_;
  const Kernels& kernels_;
  std::size_t next_ = 0;
  Lane lanes_[kStreams] = {};
  std::size_t count_ = 0;
};

}  // namespace

void CopyRuns(std::span<const CopyRun> runs, const Kernels& kernels) {
  Copier(runs, kernels).Run();
}

}  // namespace kvbm
