#ifndef KVBM_FILE_LOCK_H_
#define KVBM_FILE_LOCK_H_

#include <cstdint>
#include <memory>
#include <string>

#include "kvbm/status.h"

namespace kvbm {

/// Exclusive lock of a file, freed when destroyed, and by the system when the process ends.
class FileLock {
 public:
  /// Null when another holds it, be it in this process.
  static Result<std::unique_ptr<FileLock>> TryLock(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(std::intptr_t file) : file_(file) {}
  const std::intptr_t file_;
};

}  // namespace kvbm

#endif  // KVBM_FILE_LOCK_H_
