#include <cerrno>
#include <utility>

#include "kvbm/memory.h"
#include "platform/platform.h"
#include "text.h"

namespace kvbm {

PageLocks::~PageLocks() {
  for (const auto& [begin, held] : held_) {
    if (held.kind == LockKind::kCuda) {
      devices_()->UnregisterHost(begin);
    } else {
      platform::UnlockMemory({begin, held.size_bytes});
    }
  }
}

CommitOutcome PageLocks::Lock(std::span<std::byte> pages) {
  const MutexLock lock(mutex_);
  LockKind kind = LockKind::kNo;
  if (Covers(lock, pages, kind)) return {.locked = kind};
  DeviceRuntime* const devices = devices_();
  if (devices == nullptr) return LockBySystem(lock, pages, "");
  const Status status = devices->RegisterHost(pages);
  if (!status.ok()) return LockBySystem(lock, pages, status.message());
  held_.emplace(pages.data(), Held{pages.size(), LockKind::kCuda});
  return {.locked = LockKind::kCuda};
}

/// Locking twice is no error, but the driver calls it one.
bool PageLocks::Covers(const MutexLock&, std::span<std::byte> pages, LockKind& kind) const {
  auto after = held_.upper_bound(pages.data());
  if (after == held_.begin()) return false;
  const auto& [begin, held] = *--after;
  kind = held.kind;
  return pages.data() + pages.size() <= begin + held.size_bytes;
}

CommitOutcome PageLocks::LockBySystem(const MutexLock&, std::span<std::byte> pages,
                                      std::string refusal) {
  const int error = platform::LockMemory(pages);
  if (error != 0) {
    if (!refusal.empty()) refusal += "; ";
    return {.locked = LockKind::kTouched,
            .note = Text(refusal, "the system refused to lock ", pages.size(), " bytes (errno ",
                         error, "): ", platform::LockLimitAdvice())};
  }
  held_.emplace(pages.data(), Held{pages.size(), LockKind::kOs});
  return {.locked = LockKind::kOs, .note = std::move(refusal)};
}

}  // namespace kvbm
