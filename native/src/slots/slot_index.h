#ifndef KVBM_SLOTS_SLOT_INDEX_H_
#define KVBM_SLOTS_SLOT_INDEX_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace kvbm {

using HashWords = std::array<std::uint32_t, 4>;

/// Finds slots by their hash: the entries that `HashIndex` of @kvbm/core keeps, bit for bit. Open
/// addressing with linear probing, at most half full; an entry is 5 bits of the hash, never all
/// zero, above 27 bits of slot, and 0 is none.
class SlotIndex {
 public:
  /// A power of two.
  static std::size_t EntriesFor(std::uint32_t slots) {
    return std::size_t{1} << std::bit_width(2 * std::uint64_t{std::max(slots, 1U)} - 1);
  }

  /// `entries` as many as `EntriesFor` gives, all zero; `hashes` by slot. Both must outlive this.
  SlotIndex(std::span<std::uint32_t> entries, std::span<const HashWords> hashes)
      : entries_(entries),
        hashes_(hashes),
        mask_(static_cast<std::uint32_t>(entries.size() - 1)),
        shift_(32 - std::countr_zero(entries.size())) {}

  /// Soon to be inserted.
  void Prefetch(std::uint32_t slot) const {
#if defined(__GNUC__)
    __builtin_prefetch(&entries_[HomeOf(hashes_[slot])], 1);
#else
    static_cast<void>(slot);
#endif
  }

  /// Adds a slot and gives null; or changes nothing and gives the entry of one with its hash.
  std::uint32_t* Insert(std::uint32_t slot) {
    std::uint32_t& entry = PlaceOf(hashes_[slot]);
    if (entry != 0) return &entry;
    entry = EntryOf(slot);
    return nullptr;
  }

  /// The slot with this hash.
  std::optional<std::uint32_t> Find(const HashWords& hash) const {
    const std::uint32_t entry = PlaceOf(hash);
    return entry == 0 ? std::nullopt : std::optional(SlotOf(entry));
  }

  std::uint32_t EntryOf(std::uint32_t slot) const {
    return TagOf(hashes_[slot]) << kSlotBits | slot;
  }
  static std::uint32_t SlotOf(std::uint32_t entry) { return entry & kSlotMask; }

 private:
  static constexpr int kSlotBits = 27;
  static constexpr std::uint32_t kSlotMask = (std::uint32_t{1} << kSlotBits) - 1;
  static constexpr std::uint32_t kTagMask = 31;

  static std::uint32_t TagOf(const HashWords& hash) { return std::max(hash[1] & kTagMask, 1U); }

  /// The entry of the slot with this hash, or the empty one where it would be.
  std::uint32_t& PlaceOf(const HashWords& hash) const {
    const std::uint32_t tag = TagOf(hash);
    for (std::uint32_t at = HomeOf(hash);; at = (at + 1) & mask_) {
      std::uint32_t& entry = entries_[at];
      if (entry == 0) return entry;
      if (entry >> kSlotBits == tag && hashes_[SlotOf(entry)] == hash) return entry;
    }
  }

  std::uint32_t HomeOf(const HashWords& hash) const {
    return ((hash[0] ^ (hash[2] * 0x85ebca6bU)) * 0x9e3779b1U) >> shift_;
  }

  const std::span<std::uint32_t> entries_;
  const std::span<const HashWords> hashes_;
  const std::uint32_t mask_;
  const int shift_;
};

}  // namespace kvbm

#endif  // KVBM_SLOTS_SLOT_INDEX_H_
