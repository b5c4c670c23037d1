#ifndef KVBM_ADDON_CALLS_H_
#define KVBM_ADDON_CALLS_H_

#include <napi.h>

/// The members of the border; lib/binding.ts says what they do.
namespace kvbm::addon {

/// See `ABI_VERSION` in lib/binding.ts: raised with every change of the border.
inline constexpr int kAbiVersion = 6;

Napi::Value SetErrorFactory(const Napi::CallbackInfo& info);
Napi::Value Describe(const Napi::CallbackInfo& info);

Napi::Value CreateMemory(const Napi::CallbackInfo& info);
Napi::Value AdoptMemory(const Napi::CallbackInfo& info);
Napi::Value CommitMemory(const Napi::CallbackInfo& info);
Napi::Value MapFile(const Napi::CallbackInfo& info);
Napi::Value AlignmentOffset(const Napi::CallbackInfo& info);
Napi::Value WindowOf(const Napi::CallbackInfo& info);
Napi::Value CloseRegion(const Napi::CallbackInfo& info);

Napi::Value OpenFile(const Napi::CallbackInfo& info);
Napi::Value ReserveFile(const Napi::CallbackInfo& info);
Napi::Value ReadFile(const Napi::CallbackInfo& info);
Napi::Value WriteFile(const Napi::CallbackInfo& info);
Napi::Value SyncFile(const Napi::CallbackInfo& info);
Napi::Value LockFile(const Napi::CallbackInfo& info);

Napi::Value CreateEngine(const Napi::CallbackInfo& info);
Napi::Value TuneEngine(const Napi::CallbackInfo& info);
Napi::Value Submit(const Napi::CallbackInfo& info);
Napi::Value Cancel(const Napi::CallbackInfo& info);
Napi::Value CloseEngine(const Napi::CallbackInfo& info);

Napi::Value Crc32cOf(const Napi::CallbackInfo& info);
Napi::Value Sha256Of(const Napi::CallbackInfo& info);
Napi::Value HashBlocks(const Napi::CallbackInfo& info);

Napi::Value ReadSlots(const Napi::CallbackInfo& info);
Napi::Value RecoverSlots(const Napi::CallbackInfo& info);
Napi::Value WriteSlots(const Napi::CallbackInfo& info);
Napi::Value ClearSlots(const Napi::CallbackInfo& info);

}  // namespace kvbm::addon

#endif  // KVBM_ADDON_CALLS_H_
