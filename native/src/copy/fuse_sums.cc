#include "copy/fuse_sums.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace kvbm {

SumFuser::SumFuser(JobPlan& plan, std::size_t pieces) : plan_(plan) {
  if (pieces == 0) return;
  plan_.parts.reserve(pieces);
  matches_.reserve(pieces);
  // Cells of a transposed run change their order: its ends have different sums.
  if (!plan_.transpose) IndexCopies();
}

/// By the end that the sums are about.
void SumFuser::IndexCopies() {
  index_.Reserve(plan_.runs.size() + plan_.file_copies.size());
  std::size_t copy = 0;
  for (const CopyRun& run : plan_.runs) {
    Add(SumsSources() ? run.source : run.target, run.length, copy++);
  }
  for (const FileCopy& file : plan_.file_copies) {
    Add(SumsSources() ? file.source : file.target, file.length, copy++);
  }
}

void SumFuser::Add(const std::byte* begin, std::size_t length, std::size_t copy) {
  if (begin != nullptr) index_.Add({begin, length, copy});
}

void SumFuser::AddPiece(std::size_t block, std::span<const std::byte> bytes,
                        std::size_t bytes_max) {
  while (!bytes.empty()) {
    const RunIndex::Range range = index_.Find(bytes.data());
    const auto end = reinterpret_cast<std::uintptr_t>(range.begin) + range.length;
    const std::size_t to_end = end - reinterpret_cast<std::uintptr_t>(bytes.data());
    const std::size_t length = std::min({bytes.size(), to_end, bytes_max});
    const auto part = static_cast<std::uint32_t>(plan_.parts.size());
    plan_.parts.push_back({block, bytes.data(), length, 0});
    if (range.number == RunIndex::kNone) {
      plan_.loose_parts.push_back(part);
    } else {
      matches_.push_back({range.number, part});
    }
    bytes = bytes.subspan(length);
  }
}

void SumFuser::Fuse() {
  if (matches_.empty()) return;
  SortMatches();
  const std::span<const Match> matches(matches_);
  const std::size_t runs = plan_.runs.size();
  const auto of_files = std::ranges::lower_bound(matches, runs, {}, &Match::copy);
  const auto of_runs = static_cast<std::size_t>(of_files - matches.begin());
  if (of_runs > 0) FuseRuns(matches.first(of_runs));
  FuseFileCopies(matches.subspan(of_runs), runs);
}

/// By copy and, within it, by address: a place for each copy's matches first, which are few.
void SumFuser::SortMatches() {
  std::vector<std::uint32_t> ends(plan_.runs.size() + plan_.file_copies.size() + 1);
  for (const Match& match : matches_) ends[match.copy + 1]++;
  std::partial_sum(ends.begin(), ends.end(), ends.begin());
  std::vector<Match> sorted(matches_.size());
  for (const Match& match : matches_) sorted[ends[match.copy]++] = match;
  matches_ = std::move(sorted);
  const auto key = [&](const Match& match) {
    return reinterpret_cast<std::uintptr_t>(plan_.parts[match.part].bytes);
  };
  for (auto first = matches_.begin(); first != matches_.end();) {
    const auto last = matches_.begin() + ends[first->copy];
    if (last - first > 1) std::ranges::sort(first, last, {}, key);
    first = last;
  }
}

void SumFuser::FuseRuns(std::span<const Match> matches) {
  const std::vector<CopyRun> runs = std::exchange(plan_.runs, {});
  plan_.runs.reserve(runs.size() + 2 * matches.size());
  std::size_t at = 0;
  for (std::size_t copy = 0; copy < runs.size(); copy++) {
    const std::size_t first = at;
    while (at < matches.size() && matches[at].copy == copy) at++;
    CutRun(runs[copy], matches.subspan(first, at - first));
  }
}

void SumFuser::CutRun(CopyRun rest, std::span<const Match> matches) {
  const bool whole_only = EndsOverlap(rest);
  for (const Match& match : matches) {
    SumPart& part = plan_.parts[match.part];
    const std::ptrdiff_t gap = part.bytes - (SumsSources() ? rest.source : rest.target);
    const bool whole = gap == 0 && part.length == rest.length;
    if (gap < 0 || (whole_only && !whole)) {
      plan_.loose_parts.push_back(match.part);
      continue;
    }
    CutOff(rest, static_cast<std::size_t>(gap), nullptr);
    CutOff(rest, part.length, &part.sum);
  }
  CutOff(rest, rest.length, nullptr);
}

void SumFuser::CutOff(CopyRun& rest, std::size_t length, std::uint32_t* sum) {
  if (length == 0) return;
  plan_.runs.push_back({rest.target, rest.source, length, sum});
  rest.target += length;
  rest.source += length;
  rest.length -= length;
}

void SumFuser::FuseFileCopies(std::span<const Match> matches, std::size_t first_copy) {
  for (const Match& match : matches) {
    FileCopy& file = plan_.file_copies[match.copy - first_copy];
    if (file.part_count++ == 0) file.first_part = plan_.warm_parts.size();
    plan_.warm_parts.push_back(match.part);
  }
}

}  // namespace kvbm
