#include "kvbm/job.h"

#include <algorithm>
#include <utility>

#include "copy/job_plan.h"
#include "copy/transpose.h"
#include "hash/crc32c_join.h"
#include "kvbm/crc32c.h"

namespace kvbm {
namespace {

void RunSum(SumPart& part) { part.sum = Crc32c({part.bytes, part.length}); }

void RunWarmSums(JobPlan& plan, const FileCopy& copy) {
  for (std::size_t i = 0; i < copy.part_count; i++) {
    RunSum(plan.parts[plan.warm_parts[copy.first_part + i]]);
  }
}

Status RunFileCopy(JobPlan& plan, const FileCopy& copy) {
  if (copy.target == nullptr) {
    RunWarmSums(plan, copy);
    return copy.file->Write({copy.source, copy.length}, copy.offset);
  }
  KVBM_RETURN_IF_ERROR(copy.file->ReadAll({copy.target, copy.length}, copy.offset));
  RunWarmSums(plan, copy);
  return {};
}

Status RunFileCopies(JobPlan& plan, const JobItem& item) {
  for (std::size_t i = item.begin; i < item.end; i++) {
    KVBM_RETURN_IF_ERROR(RunFileCopy(plan, plan.file_copies[i]));
  }
  return {};
}

void RunTransposes(const JobPlan& plan, const JobItem& item) {
  for (std::size_t i = item.begin; i < item.end; i++) {
    TransposeCells(plan.runs[i].target, plan.runs[i].source, *plan.transpose);
  }
}

void RunSums(JobPlan& plan, const JobItem& item) {
  for (std::size_t i = item.begin; i < item.end; i++) RunSum(plan.parts[plan.loose_parts[i]]);
}

Status Run(JobPlan& plan, const JobItem& item) {
  switch (item.kind) {
    case JobItem::Kind::kCopy:
      CopyRuns(std::span(plan.runs).subspan(item.begin, item.end - item.begin));
      return {};
    case JobItem::Kind::kTranspose: RunTransposes(plan, item); return {};
    case JobItem::Kind::kSum: RunSums(plan, item); return {};
    case JobItem::Kind::kFile: break;
  }
  return RunFileCopies(plan, item);
}

/// Parts lie in the order of their pieces, so each block's are joined in that order.
void JoinSums(JobPlan& plan) {
  crc32c::Joiner joiner(BestKernels());
  for (const SumPart& part : plan.parts) {
    std::uint32_t& sum = plan.sums[part.block];
    sum = joiner.Join(sum, part.sum, part.length);
  }
}

}  // namespace

Job::Job(std::unique_ptr<JobPlan> plan)
    : plan_(std::move(plan)), items_left_(plan_->copy_items.size() + plan_->sum_items.size()) {}

Job::~Job() = default;

bool Job::small() const { return plan_->small; }

std::size_t Job::ItemCount(std::size_t phase) const {
  return IsSumPhase(phase) ? plan_->sum_items.size() : plan_->copy_items.size();
}

bool Job::IsSumPhase(std::size_t phase) const {
  return (phase == 0) == (plan_->sum_when == SumWhen::kBefore);
}

bool Job::UsesDisk(std::size_t phase) const {
  return !plan_->file_copies.empty() && !IsSumPhase(phase);
}

Status Job::RunItem(std::size_t phase, std::size_t item) {
  KVBM_RETURN_IF_ERROR(
      Run(*plan_, IsSumPhase(phase) ? plan_->sum_items[item] : plan_->copy_items[item]));
  // Acquires what the others summed, releases what this one did.
  if (items_left_.fetch_sub(1, std::memory_order_acq_rel) == 1) JoinSums(*plan_);
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
  const std::size_t blocks = std::min(into.size(), plan_->sums.size());
  for (std::size_t block = 0; block < blocks; block++) {
    if (plan_->has_sum[block] != 0) into[block] = plan_->sums[block];
  }
}

}  // namespace kvbm
