#ifndef KVBM_PLATFORM_PLATFORM_H_
#define KVBM_PLATFORM_PLATFORM_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

/// What the core asks of an operating system. One folder per system implements it.
/// Errors are errno values; 0 means success.
namespace kvbm::platform {

// ── Memory ──

std::size_t PageBytes();

/// Address space that costs nothing until touched and is zero then; null when the system refuses.
std::byte* ReserveMemory(std::size_t size_bytes);
void ReleaseMemory(std::byte* begin, std::size_t size_bytes);

/// The ranges below begin and end at pages.
bool AdviseHugePages(std::span<std::byte> pages);
/// Makes pages real and keeps their bytes; false where the system has no call for that or refuses.
bool PopulateMemory(std::span<std::byte> pages);
/// How many of these bytes lie on huge pages now; none where the system does not tell.
std::optional<std::size_t> HugeBytes(std::span<const std::byte> pages);
int LockMemory(std::span<std::byte> pages);
void UnlockMemory(std::span<std::byte> pages);
bool CanLockMemory();
/// The limit on locked memory and how to raise it.
std::string LockLimitAdvice();

// ── Files ──

using FileHandle = std::intptr_t;
inline constexpr FileHandle kNoFile = -1;

struct FileMode {
  bool write = false;
  bool create = false;
  bool exclusive = false;
};

struct OpenedFile {
  FileHandle handle = kNoFile;
  int error = 0;
};

/// Bytes moved, which may be fewer than asked for.
struct Moved {
  std::size_t bytes = 0;
  int error = 0;
};

struct FileSize {
  std::uint64_t bytes = 0;
  int error = 0;
};

struct DirectFile {
  FileHandle handle = kNoFile;
  std::size_t alignment = 1;
  /// Why there is none; empty when there is.
  std::string note;
};

/// Close-on-exec; created with mode 0600. Folders, pipes and a symbolic link at the path's end are
/// refused.
OpenedFile OpenFile(const std::string& path, FileMode mode);
/// The same open file once more, past the page cache.
DirectFile OpenDirect(FileHandle file, const std::string& path, bool write);
void CloseFile(FileHandle file);

/// One transfer at an offset; 0 bytes read without an error mean the end of the file.
Moved ReadAt(FileHandle file, std::span<std::byte> target, std::uint64_t offset);
Moved WriteAt(FileHandle file, std::span<const std::byte> source, std::uint64_t offset);
FileSize SizeOf(FileHandle file);
/// Reserves disk space, growing the file if need be. EOPNOTSUPP where the file system cannot.
int AllocateRange(FileHandle file, std::uint64_t offset, std::uint64_t length);
/// Makes the file at least this long, without space for it.
int ExtendTo(FileHandle file, std::uint64_t size_bytes);
int SyncFile(FileHandle file);
/// The file's first bytes as memory, all of them real; null where that cannot be had. The file must
/// be as long and have its space, or touching the memory ends the process.
std::byte* MapFile(FileHandle file, std::size_t size_bytes);
void UnmapFile(std::byte* begin, std::size_t size_bytes);

/// Exclusive lock of a file that is created when missing. EWOULDBLOCK when another holds it.
OpenedFile OpenLocked(const std::string& path);

// ── Libraries ──

/// Null when it cannot be opened. Libraries stay open.
void* OpenLibrary(const char* name);
void* FindSymbol(void* library, const char* name);
/// A symbol of the running program or what it loaded.
void* FindProgramSymbol(const char* name);
/// Whether all of these symbols come from one file.
bool FromOneImage(std::span<void* const> symbols);
/// The CUDA driver's library; null where there can be none.
const char* CudaDriverName();

/// Whether the CPU has CRC32C instructions.
bool HasCrc32cInstructions();

}  // namespace kvbm::platform

#endif  // KVBM_PLATFORM_PLATFORM_H_
