#include "copy/region_memo.h"

#include <utility>

namespace kvbm {

Result<UsedRegion*> RegionMemo::Find(double id) {
  const auto known = used_.find(id);
  if (known != used_.end()) return &known->second;
  KVBM_ASSIGN_OR_RETURN(Region region, table_.Find(id));
  UsedRegion& used = used_[id];
  if (region.memory != nullptr) used.bytes = region.memory->Bytes();
  used.region = std::move(region);
  return &used;
}

std::vector<Region> RegionMemo::Regions() const {
  std::vector<Region> regions;
  regions.reserve(used_.size());
  for (const auto& [id, used] : used_) regions.push_back(used.region);
  return regions;
}

}  // namespace kvbm
