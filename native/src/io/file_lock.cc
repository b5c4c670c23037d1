#include "kvbm/file_lock.h"

#include <cerrno>

#include "platform/platform.h"
#include "text.h"

namespace kvbm {

Result<std::unique_ptr<FileLock>> FileLock::TryLock(const std::string& path) {
  const platform::OpenedFile file = platform::OpenLocked(path);
  if (file.error == EWOULDBLOCK) return std::unique_ptr<FileLock>();
  if (file.error != 0) return SystemFailure(Text("Locking ", path), file.error);
  return std::unique_ptr<FileLock>(new FileLock(file.handle));
}

FileLock::~FileLock() { platform::CloseFile(file_); }

}  // namespace kvbm
