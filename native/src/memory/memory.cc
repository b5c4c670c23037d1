#include "kvbm/memory.h"

#include <atomic>

#include "platform/platform.h"

namespace kvbm {
namespace {

std::uintptr_t AddressOf(const std::byte* at) { return reinterpret_cast<std::uintptr_t>(at); }

/// The whole pages that the bytes lie on.
std::span<std::byte> PagesOf(std::span<std::byte> bytes) {
  const std::size_t page = platform::PageBytes();
  std::byte* const begin = bytes.data() - AddressOf(bytes.data()) % page;
  const std::size_t length = static_cast<std::size_t>(bytes.data() + bytes.size() - begin);
  return {begin, (length + page - 1) / page * page};
}

/// Writes what is there, atomically: another thread may be writing the same byte.
void TouchByte(std::byte& byte) {
#if defined(__cpp_lib_atomic_ref)
  std::atomic_ref<unsigned char>(reinterpret_cast<unsigned char&>(byte))
      .fetch_or(0, std::memory_order_relaxed);
#else  // The libc++ of Xcode before 16.3 has none.
  __atomic_fetch_or(reinterpret_cast<unsigned char*>(&byte), 0, __ATOMIC_RELAXED);
#endif
}

void Touch(std::span<std::byte> bytes) {
  if (platform::PopulateMemory(PagesOf(bytes))) return;
  const std::size_t page = platform::PageBytes();
  for (std::size_t at = 0; at < bytes.size(); at += page) TouchByte(bytes[at]);
  TouchByte(bytes.back());
}

}  // namespace

CommitOutcome Memory::Commit(std::uint64_t offset, std::uint64_t length, bool lock) {
  const std::span<std::byte> bytes = Bytes().subspan(offset, length);
  if (bytes.empty()) return {.locked = LockKind::kTouched};
  const bool huge_pages = platform::AdviseHugePages(PagesOf(bytes));
  Touch(bytes);
  CommitOutcome outcome =
      lock ? locks_.Lock(PagesOf(bytes)) : CommitOutcome{.locked = LockKind::kTouched};
  outcome.huge_pages = huge_pages;
  outcome.huge_bytes = platform::HugeBytes(PagesOf(bytes));
  return outcome;
}

std::uint64_t Memory::AlignmentOffset(std::uint64_t alignment) const {
  const std::uint64_t past = AddressOf(Bytes().data()) % alignment;
  return past == 0 ? 0 : alignment - past;
}

bool CanLockPages() { return platform::CanLockMemory(); }

}  // namespace kvbm
