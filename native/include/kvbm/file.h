#ifndef KVBM_FILE_H_
#define KVBM_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "kvbm/mutex.h"
#include "kvbm/status.h"

namespace kvbm {

struct FileOptions {
  std::string path;
  bool write = false;
  bool create = false;
  /// The file must not exist.
  bool exclusive = false;
  /// Try direct I/O.
  bool direct = false;
};

enum class Reservation : std::uint8_t { kAllocated, kZeroFilled, kSparse };

/// Reserves disk space of a file. Errors are errno values; EOPNOTSUPP makes the next way be tried.
using AllocateFunction = int (*)(std::intptr_t file, std::uint64_t offset, std::uint64_t length);

/// An open regular file. Transfers go past the page cache when offset, length and address allow it.
/// Callable from any thread; closed when destroyed.
class File {
 public:
  static Result<std::shared_ptr<File>> Open(const FileOptions& options);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  const std::string& path() const { return path_; }
  bool direct() const;
  std::size_t alignment() const { return alignment_; }
  /// Why direct I/O is off; empty when it is on.
  const std::string& note() const { return note_; }

  Result<std::uint64_t> Size() const;
  /// Fewer bytes where the file ends.
  Result<std::size_t> Read(std::span<std::byte> target, std::uint64_t offset) const;
  /// All bytes or `kStorageIo`.
  Status ReadAll(std::span<std::byte> target, std::uint64_t offset) const;
  Status Write(std::span<const std::byte> source, std::uint64_t offset) const;
  /// Makes a range exist: allocated, else zero-filled past the present end, else sparse.
  Result<Reservation> Reserve(std::uint64_t offset, std::uint64_t length);
  Status Sync() const;

  /// The first bytes as memory, which must be reserved; null where that cannot be had.
  std::byte* Map(std::size_t size_bytes) const;

  /// Stands in for the system's way to reserve space, for tests.
  void set_allocate_for_testing(AllocateFunction allocate) { allocate_ = allocate; }

 private:
  File(const FileOptions& options, std::intptr_t buffered);
  void OpenDirect(bool write);
  bool Aligned(const std::byte* address, std::size_t length, std::uint64_t offset) const;
  Result<Reservation> FillWithZeros(std::uint64_t offset, std::uint64_t end) const;

  const std::string path_;
  const std::intptr_t buffered_;
  std::intptr_t direct_;
  std::size_t alignment_ = 1;
  std::string note_ = "direct I/O was not asked for";
  AllocateFunction allocate_;
  /// Reservations one after another: two at once would each write zeros where the other one's
  /// caller writes data already.
  Mutex reserving_;
};

}  // namespace kvbm

#endif  // KVBM_FILE_H_
