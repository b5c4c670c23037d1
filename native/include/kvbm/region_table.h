#ifndef KVBM_REGION_TABLE_H_
#define KVBM_REGION_TABLE_H_

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "kvbm/file.h"
#include "kvbm/memory.h"
#include "kvbm/mutex.h"
#include "kvbm/status.h"

namespace kvbm {

/// Memory or a file, never both. Whoever holds one keeps it from ending.
struct Region {
  std::uint64_t id = 0;
  std::shared_ptr<Memory> memory;
  std::shared_ptr<File> file;
};

/// Largest offset of a file: JavaScript counts no further.
inline constexpr std::uint64_t kOffsetMax = (std::uint64_t{1} << 53) - 1;

/// A non-negative integer that JavaScript represents exactly, from one of its numbers.
bool ToOffset(double number, std::uint64_t& offset);

/// `kInvalidArgument` unless the range lies in the region. A file is as long as it needs to be.
Status CheckRange(const char* name, const Region& region, double offset, double length);

/// Memory and files by number. Numbers are never used again. Callable from any thread.
class RegionTable {
 public:
  /// The one of this process; lives for ever.
  static RegionTable& Process();

  std::uint64_t Add(std::shared_ptr<Memory> memory);
  std::uint64_t Add(std::shared_ptr<File> file);

  /// `kInvalidArgument` for numbers that are no open region's.
  Result<Region> Find(double id) const;
  Result<Region> FindMemory(double id) const;
  Result<Region> FindFile(double id) const;

  /// Takes the region out of the table; it ends when nobody holds it. Idempotent.
  void Close(double id);

 private:
  std::uint64_t Add(Region region);

  mutable Mutex mutex_;
  std::unordered_map<std::uint64_t, Region> regions_ KVBM_GUARDED_BY(mutex_);
  std::uint64_t next_id_ KVBM_GUARDED_BY(mutex_) = 1;
};

}  // namespace kvbm

#endif  // KVBM_REGION_TABLE_H_
