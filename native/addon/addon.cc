#include <napi.h>

#include "calls.h"
#include "environment.h"

namespace kvbm::addon {
namespace {

template <Napi::Value (*Call)(const Napi::CallbackInfo&)>
void Export(Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<Call>(exports.Env(), name));
}

void ExportMemory(Napi::Object exports) {
  Export<&CreateMemory>(exports, "createMemory");
  Export<&AdoptMemory>(exports, "adoptMemory");
  Export<&CommitMemory>(exports, "commitMemory");
  Export<&MapFile>(exports, "mapFile");
  Export<&AlignmentOffset>(exports, "alignmentOffset");
  Export<&WindowOf>(exports, "windowOf");
  Export<&CloseRegion>(exports, "closeRegion");
}

void ExportFiles(Napi::Object exports) {
  Export<&OpenFile>(exports, "openFile");
  Export<&ReserveFile>(exports, "reserveFile");
  Export<&ReadFile>(exports, "readFile");
  Export<&WriteFile>(exports, "writeFile");
  Export<&SyncFile>(exports, "syncFile");
  Export<&LockFile>(exports, "lockFile");
  Export<&ReadSlots>(exports, "readSlots");
  Export<&RecoverSlots>(exports, "recoverSlots");
  Export<&WriteSlots>(exports, "writeSlots");
  Export<&ClearSlots>(exports, "clearSlots");
}

void ExportEngines(Napi::Object exports) {
  Export<&CreateEngine>(exports, "createEngine");
  Export<&TuneEngine>(exports, "tuneEngine");
  Export<&Submit>(exports, "submit");
  Export<&Cancel>(exports, "cancel");
  Export<&CloseEngine>(exports, "closeEngine");
}

void ExportHashes(Napi::Object exports) {
  Export<&Crc32cOf>(exports, "crc32c");
  Export<&Sha256Of>(exports, "sha256");
  Export<&HashBlocks>(exports, "hashBlocks");
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Environment(env));
  exports.Set("abiVersion", kAbiVersion);
  Export<&SetErrorFactory>(exports, "setErrorFactory");
  Export<&addon::Describe>(exports, "describe");
  ExportMemory(exports);
  ExportFiles(exports);
  ExportEngines(exports);
  ExportHashes(exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(kvbm, Init)

}  // namespace kvbm::addon
