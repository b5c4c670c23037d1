#ifndef KVBM_MEMORY_H_
#define KVBM_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "kvbm/device_runtime.h"
#include "kvbm/file.h"
#include "kvbm/mutex.h"
#include "kvbm/status.h"

namespace kvbm {

enum class LockKind : std::uint8_t { kCuda, kOs, kTouched, kNo };

struct CommitOutcome {
  LockKind locked = LockKind::kNo;
  /// Whether the system was told that huge pages are welcome.
  bool huge_pages = false;
  /// How many bytes it gave on such pages, where it tells.
  std::optional<std::uint64_t> huge_bytes = std::nullopt;
  /// Why a better state was not reached; empty when it was.
  std::string note;
};

/// Port: who owns bytes. Releases them when destroyed.
class MemoryOwner {
 public:
  virtual ~MemoryOwner() = default;
  /// The bytes as they are now; an owner whose memory was taken away has none.
  virtual std::span<std::byte> Bytes() const = 0;
  /// Whether it is there until it is destroyed: only then may windows show it and other threads
  /// commit it.
  virtual bool IsLasting() const = 0;
};

using DeviceRuntimeSource = DeviceRuntime* (*)();

/// Page locks on parts of one memory, undone together.
class PageLocks {
 public:
  explicit PageLocks(DeviceRuntimeSource devices) : devices_(devices) {}
  ~PageLocks();
  PageLocks(const PageLocks&) = delete;
  PageLocks& operator=(const PageLocks&) = delete;

  /// Locks pages by the driver, else by the system; touches them in any case.
  CommitOutcome Lock(std::span<std::byte> pages);

 private:
  struct Held {
    std::size_t size_bytes;
    LockKind kind;
  };

  bool Covers(const MutexLock&, std::span<std::byte> pages, LockKind& kind) const
      KVBM_REQUIRES(mutex_);
  CommitOutcome LockBySystem(const MutexLock&, std::span<std::byte> pages, std::string refusal)
      KVBM_REQUIRES(mutex_);

  const DeviceRuntimeSource devices_;
  Mutex mutex_;
  /// First byte → what is held from there on.
  std::multimap<std::byte*, Held> held_ KVBM_GUARDED_BY(mutex_);
};

/// A region's memory: an owner, and the locks on it, which end first.
class Memory {
 public:
  explicit Memory(std::unique_ptr<MemoryOwner> owner,
                  DeviceRuntimeSource devices = &ProcessDeviceRuntime)
      : owner_(std::move(owner)), locks_(devices) {}

  std::span<std::byte> Bytes() const { return owner_->Bytes(); }
  bool IsLasting() const { return owner_->IsLasting(); }

  /// Makes a range real, which must lie within: advises huge pages, then locks or only touches.
  CommitOutcome Commit(std::uint64_t offset, std::uint64_t length, bool lock);

  /// Bytes to the first address that is a multiple of `alignment`.
  std::uint64_t AlignmentOffset(std::uint64_t alignment) const;

 private:
  const std::unique_ptr<MemoryOwner> owner_;
  PageLocks locks_;
};

/// Address space from the system: zero-filled when first touched, on huge pages if it likes.
/// `kStorageFull` when refused.
Result<std::unique_ptr<MemoryOwner>> MapMemory(std::uint64_t size_bytes);

/// A file's first bytes as memory, reserved there and real; null where the system or the file
/// system has no safe way to it. Whoever cuts the file takes the bytes behind its end away, for
/// copies that begin later.
Result<std::unique_ptr<MemoryOwner>> MapFile(std::shared_ptr<File> file, std::uint64_t size_bytes);

/// Whether the system lets us lock any memory at all.
bool CanLockPages();

}  // namespace kvbm

#endif  // KVBM_MEMORY_H_
