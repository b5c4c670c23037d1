#include "kvbm/region_table.h"

#include <cmath>
#include <utility>

#include "text.h"

namespace kvbm {
namespace {

std::uint64_t SizeOf(const Region& region) {
  return region.memory == nullptr ? kOffsetMax : region.memory->Bytes().size();
}

Status WrongRegion(const char* expected, double id) {
  return InvalidArgument(Text("region: expected ", expected, ", got ", id, " (number)"));
}

}  // namespace

bool ToOffset(double number, std::uint64_t& offset) {
  const bool exact =
      number >= 0 && number <= static_cast<double>(kOffsetMax) && std::trunc(number) == number;
  if (exact) offset = static_cast<std::uint64_t>(number);
  return exact;
}

Status CheckRange(const char* name, const Region& region, double offset, double length) {
  std::uint64_t begin = 0;
  std::uint64_t size = 0;
  const std::uint64_t region_size = SizeOf(region);
  const bool inside =
      ToOffset(offset, begin) && ToOffset(length, size) && begin + size <= region_size;
  if (inside) return {};
  return InvalidArgument(Text(name, ": ", length, " bytes at offset ", offset,
                              " are outside of region ", region.id, ", ", region_size, " bytes"));
}

RegionTable& RegionTable::Process() {
  static RegionTable* const table = new RegionTable();
  return *table;
}

std::uint64_t RegionTable::Add(std::shared_ptr<Memory> memory) {
  return Add(Region{0, std::move(memory), nullptr});
}

std::uint64_t RegionTable::Add(std::shared_ptr<File> file) {
  return Add(Region{0, nullptr, std::move(file)});
}

std::uint64_t RegionTable::Add(Region region) {
  const MutexLock lock(mutex_);
  const std::uint64_t id = next_id_++;
  region.id = id;
  regions_.emplace(id, std::move(region));
  return id;
}

Result<Region> RegionTable::Find(double id) const {
  std::uint64_t number = 0;
  if (!ToOffset(id, number)) return WrongRegion("the number of an open region", id);
  const MutexLock lock(mutex_);
  const auto found = regions_.find(number);
  if (found == regions_.end()) return WrongRegion("the number of an open region", id);
  return found->second;
}

Result<Region> RegionTable::FindMemory(double id) const {
  KVBM_ASSIGN_OR_RETURN(Region region, Find(id));
  if (region.memory == nullptr) return WrongRegion("memory, not a file", id);
  return region;
}

Result<Region> RegionTable::FindFile(double id) const {
  KVBM_ASSIGN_OR_RETURN(Region region, Find(id));
  if (region.file == nullptr) return WrongRegion("a file, not memory", id);
  return region;
}

void RegionTable::Close(double id) {
  Region closed;  // Ends after the lock is given back: unmapping takes time.
  std::uint64_t number = 0;
  if (!ToOffset(id, number)) return;
  const MutexLock lock(mutex_);
  const auto found = regions_.find(number);
  if (found == regions_.end()) return;
  closed = std::move(found->second);
  regions_.erase(found);
}

}  // namespace kvbm
