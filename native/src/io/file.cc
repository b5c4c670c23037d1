#include "kvbm/file.h"

#include <algorithm>
#include <cerrno>
#include <vector>

#include "platform/platform.h"
#include "text.h"

namespace kvbm {
namespace {

constexpr std::size_t kZeroFillBytes = std::size_t{1} << 20;

std::string Moving(const char* what, std::size_t length, std::uint64_t offset,
                   const std::string& path) {
  return Text(what, " ", length, " bytes at ", offset, " of ", path);
}

}  // namespace

Result<std::shared_ptr<File>> File::Open(const FileOptions& options) {
  const platform::OpenedFile opened = platform::OpenFile(
      options.path,
      {.write = options.write, .create = options.create, .exclusive = options.exclusive});
  if (opened.error != 0) return SystemFailure(Text("Opening ", options.path), opened.error);
  std::shared_ptr<File> file(new File(options, opened.handle));
  if (options.direct) file->OpenDirect(options.write);
  return file;
}

File::File(const FileOptions& options, std::intptr_t buffered)
    : path_(options.path),
      buffered_(buffered),
      direct_(platform::kNoFile),
      allocate_(&platform::AllocateRange) {}

File::~File() {
  if (direct()) platform::CloseFile(direct_);
  platform::CloseFile(buffered_);
}

bool File::direct() const { return direct_ != platform::kNoFile; }

void File::OpenDirect(bool write) {
  platform::DirectFile opened = platform::OpenDirect(buffered_, path_, write);
  direct_ = opened.handle;
  alignment_ = opened.alignment;
  note_ = std::move(opened.note);
}

bool File::Aligned(const std::byte* address, std::size_t length, std::uint64_t offset) const {
  return direct() &&
         (reinterpret_cast<std::uintptr_t>(address) | length | offset) % alignment_ == 0;
}

Result<std::uint64_t> File::Size() const {
  const platform::FileSize size = platform::SizeOf(buffered_);
  if (size.error != 0) return SystemFailure(Text("Asking for the size of ", path_), size.error);
  return size.bytes;
}

Result<std::size_t> File::Read(std::span<std::byte> target, std::uint64_t offset) const {
  std::size_t done = 0;
  while (done < target.size()) {
    const auto rest = target.subspan(done);
    const bool aligned = Aligned(rest.data(), rest.size(), offset + done);
    platform::Moved moved = platform::ReadAt(aligned ? direct_ : buffered_, rest, offset + done);
    // Some file systems refuse single transfers although they opened the file for them.
    if (aligned && moved.error == EINVAL) {
      moved = platform::ReadAt(buffered_, rest, offset + done);
    }
    if (moved.error != 0) {
      return SystemFailure(Moving("Reading", target.size(), offset, path_), moved.error);
    }
    if (moved.bytes == 0) return done;
    done += moved.bytes;
  }
  return done;
}

Status File::ReadAll(std::span<std::byte> target, std::uint64_t offset) const {
  KVBM_ASSIGN_OR_RETURN(const std::size_t done, Read(target, offset));
  if (done == target.size()) return {};
  return {StatusCode::kStorageIo,
          Text(Moving("Reading", target.size(), offset, path_), ": the file ends after ", done,
               " of them. It was cut or never written.")};
}

Status File::Write(std::span<const std::byte> source, std::uint64_t offset) const {
  std::size_t done = 0;
  while (done < source.size()) {
    const auto rest = source.subspan(done);
    const bool aligned = Aligned(rest.data(), rest.size(), offset + done);
    platform::Moved moved = platform::WriteAt(aligned ? direct_ : buffered_, rest, offset + done);
    if (aligned && moved.error == EINVAL) {
      moved = platform::WriteAt(buffered_, rest, offset + done);
    }
    // A write that takes nothing and says nothing would be tried for ever.
    const int error = moved.error == 0 && moved.bytes == 0 ? EIO : moved.error;
    if (error != 0) return SystemFailure(Moving("Writing", source.size(), offset, path_), error);
    done += moved.bytes;
  }
  return {};
}

Result<Reservation> File::Reserve(std::uint64_t offset, std::uint64_t length) {
  if (length == 0) return Reservation::kAllocated;
  const MutexLock lock(reserving_);
  const int error = allocate_(buffered_, offset, length);
  if (error == 0) return Reservation::kAllocated;
  if (error == EOPNOTSUPP) return FillWithZeros(offset, offset + length);
  return SystemFailure(Moving("Reserving", length, offset, path_), error);
}

/// What lies before the present end may be a hole: it keeps its bytes and is called sparse.
Result<Reservation> File::FillWithZeros(std::uint64_t offset, std::uint64_t end) const {
  KVBM_ASSIGN_OR_RETURN(const std::uint64_t size, Size());
  const std::vector<std::byte> zeros(std::min<std::uint64_t>(kZeroFillBytes, end - offset));
  for (std::uint64_t at = std::max(size, offset); at < end; at += zeros.size()) {
    const std::size_t length = std::min<std::uint64_t>(zeros.size(), end - at);
    const Status written = Write({zeros.data(), length}, at);
    if (written.code() == StatusCode::kStorageFull) return written;
    if (written.ok()) continue;
    const int error = platform::ExtendTo(buffered_, end);
    if (error != 0) return SystemFailure(Moving("Reserving", end - offset, offset, path_), error);
    return Reservation::kSparse;
  }
  return size > offset ? Reservation::kSparse : Reservation::kZeroFilled;
}

Status File::Sync() const {
  const int error = platform::SyncFile(buffered_);
  return error == 0 ? Status() : SystemFailure(Text("Flushing ", path_), error);
}

std::byte* File::Map(std::size_t size_bytes) const {
  return platform::MapFile(buffered_, size_bytes);
}

}  // namespace kvbm
