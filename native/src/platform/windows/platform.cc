#include "platform/platform.h"

#ifndef NOMINMAX
#define NOMINMAX
#endif
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <algorithm>
#include <cerrno>

namespace kvbm::platform {
namespace {

constexpr std::size_t kTransferBytesMax = std::size_t{1} << 30;
constexpr std::size_t kDirectAlignment = 4096;

HANDLE HandleOf(FileHandle file) { return reinterpret_cast<HANDLE>(file); }

int ErrnoOf(DWORD error) {
  switch (error) {
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
      return ENOSPC;
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
      return ENOENT;
    case ERROR_ACCESS_DENIED:
      return EACCES;
    case ERROR_SHARING_VIOLATION:
    case ERROR_LOCK_VIOLATION:
      return EWOULDBLOCK;
    case ERROR_FILE_EXISTS:
    case ERROR_ALREADY_EXISTS:
      return EEXIST;
    case ERROR_INVALID_PARAMETER:
      return EINVAL;
    case ERROR_TOO_MANY_OPEN_FILES:
      return EMFILE;
    default:
      return EIO;
  }
}

int LastErrno() { return ErrnoOf(GetLastError()); }

std::wstring Wide(const std::string& text) {
  const int size = static_cast<int>(text.size());
  std::wstring wide(
      static_cast<std::size_t>(MultiByteToWideChar(CP_UTF8, 0, text.data(), size, nullptr, 0)),
      L'\0');
  MultiByteToWideChar(CP_UTF8, 0, text.data(), size, wide.data(), static_cast<int>(wide.size()));
  return wide;
}

OVERLAPPED At(std::uint64_t offset) {
  OVERLAPPED place = {};
  place.Offset = static_cast<DWORD>(offset & 0xffffffffU);
  place.OffsetHigh = static_cast<DWORD>(offset >> 32);
  return place;
}

DWORD CreationOf(FileMode mode) {
  if (!mode.create) return OPEN_EXISTING;
  return mode.exclusive ? CREATE_NEW : OPEN_ALWAYS;
}

bool IsLinkOrFolder(HANDLE file) {
  BY_HANDLE_FILE_INFORMATION facts = {};
  constexpr DWORD kRefused = FILE_ATTRIBUTE_REPARSE_POINT | FILE_ATTRIBUTE_DIRECTORY;
  return GetFileInformationByHandle(file, &facts) == 0 || (facts.dwFileAttributes & kRefused) != 0;
}

OpenedFile Open(const std::string& path, DWORD access, DWORD sharing, DWORD creation) {
  if (path.find('\0') != std::string::npos) return {kNoFile, EINVAL};
  const HANDLE file = CreateFileW(Wide(path).c_str(), access, sharing, nullptr, creation,
                                  FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT, nullptr);
  if (file == INVALID_HANDLE_VALUE) return {kNoFile, LastErrno()};
  if (!IsLinkOrFolder(file)) return {reinterpret_cast<FileHandle>(file), 0};
  CloseHandle(file);
  return {kNoFile, EINVAL};
}

constexpr DWORD kShareAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

DWORD AccessOf(bool write) { return write ? GENERIC_READ | GENERIC_WRITE : GENERIC_READ; }

}  // namespace

std::size_t PageBytes() {
  SYSTEM_INFO facts = {};
  GetSystemInfo(&facts);
  return facts.dwPageSize;
}

// Windows gives zeroed pages when they are first touched, but counts all of them at once.
std::byte* ReserveMemory(std::size_t size_bytes) {
  return static_cast<std::byte*>(
      VirtualAlloc(nullptr, size_bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
}

void ReleaseMemory(std::byte* begin, std::size_t) { VirtualFree(begin, 0, MEM_RELEASE); }

bool AdviseHugePages(std::span<std::byte>) { return false; }

bool PopulateMemory(std::span<std::byte>) { return false; }

std::optional<std::size_t> HugeBytes(std::span<const std::byte>) { return std::nullopt; }

int LockMemory(std::span<std::byte> pages) {
  return VirtualLock(pages.data(), pages.size()) != 0 ? 0 : ENOMEM;
}

void UnlockMemory(std::span<std::byte> pages) { VirtualUnlock(pages.data(), pages.size()); }

bool CanLockMemory() { return true; }

std::string LockLimitAdvice() {
  return "the process's minimum working set is the limit. Raise it with "
         "SetProcessWorkingSetSize, or use less pinned memory.";
}

OpenedFile OpenFile(const std::string& path, FileMode mode) {
  return Open(path, AccessOf(mode.write), kShareAll, CreationOf(mode));
}

DirectFile OpenDirect(FileHandle file, const std::string&, bool write) {
  const HANDLE direct =
      ReOpenFile(HandleOf(file), AccessOf(write), kShareAll, FILE_FLAG_NO_BUFFERING);
  if (direct == INVALID_HANDLE_VALUE) return {kNoFile, 1, "the file system refuses direct I/O"};
  return {reinterpret_cast<FileHandle>(direct), kDirectAlignment, ""};
}

void CloseFile(FileHandle file) { CloseHandle(HandleOf(file)); }

Moved ReadAt(FileHandle file, std::span<std::byte> target, std::uint64_t offset) {
  OVERLAPPED place = At(offset);
  DWORD bytes = 0;
  const auto length = static_cast<DWORD>(std::min(target.size(), kTransferBytesMax));
  if (ReadFile(HandleOf(file), target.data(), length, &bytes, &place) != 0) return {bytes, 0};
  if (GetLastError() == ERROR_HANDLE_EOF) return {0, 0};
  return {0, LastErrno()};
}

Moved WriteAt(FileHandle file, std::span<const std::byte> source, std::uint64_t offset) {
  OVERLAPPED place = At(offset);
  DWORD bytes = 0;
  const auto length = static_cast<DWORD>(std::min(source.size(), kTransferBytesMax));
  if (WriteFile(HandleOf(file), source.data(), length, &bytes, &place) != 0) return {bytes, 0};
  return {0, LastErrno()};
}

FileSize SizeOf(FileHandle file) {
  LARGE_INTEGER size = {};
  if (GetFileSizeEx(HandleOf(file), &size) == 0) return {0, LastErrno()};
  return {static_cast<std::uint64_t>(size.QuadPart), 0};
}

int AllocateRange(FileHandle, std::uint64_t, std::uint64_t) { return EOPNOTSUPP; }

int ExtendTo(FileHandle file, std::uint64_t size_bytes) {
  const FileSize size = SizeOf(file);
  if (size.error != 0 || size.bytes >= size_bytes) return size.error;
  FILE_END_OF_FILE_INFO end = {};
  end.EndOfFile.QuadPart = static_cast<LONGLONG>(size_bytes);
  const BOOL done =
      SetFileInformationByHandle(HandleOf(file), FileEndOfFileInfo, &end, sizeof(end));
  return done != 0 ? 0 : LastErrno();
}

int SyncFile(FileHandle file) { return FlushFileBuffers(HandleOf(file)) != 0 ? 0 : LastErrno(); }

// A file that is mapped cannot be cut here, and whoever opens it by its path may want to.
std::byte* MapFile(FileHandle, std::size_t) { return nullptr; }
void UnmapFile(std::byte*, std::size_t) {}

// Nobody else may open the file while it is open here.
OpenedFile OpenLocked(const std::string& path) {
  return Open(path, GENERIC_READ | GENERIC_WRITE, 0, OPEN_ALWAYS);
}

void* OpenLibrary(const char* name) { return reinterpret_cast<void*>(LoadLibraryA(name)); }

void* FindSymbol(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}

void* FindProgramSymbol(const char* name) { return FindSymbol(GetModuleHandleA(nullptr), name); }

bool FromOneImage(std::span<void* const> symbols) {
  return std::ranges::all_of(symbols, [](void* symbol) { return symbol != nullptr; });
}

const char* CudaDriverName() { return "nvcuda.dll"; }

bool HasCrc32cInstructions() {
#if defined(_M_X64) || defined(__x86_64__)
  return IsProcessorFeaturePresent(PF_SSE4_2_INSTRUCTIONS_AVAILABLE) != 0;
#elif defined(_M_ARM64) || defined(__aarch64__)
  return IsProcessorFeaturePresent(PF_ARM_V8_CRC32_INSTRUCTIONS_AVAILABLE) != 0;
#else
  return false;
#endif
}

}  // namespace kvbm::platform
