#include "device/cuda_driver.h"

#include <string>
#include <utility>

#include "platform/platform.h"
#include "text.h"

namespace kvbm {
namespace {

/// The memory is page-locked for every context, not only the current one.
constexpr unsigned int kRegisterPortable = 1;
/// The driver's answer for memory that it has registered already.
constexpr int kAlreadyRegistered = 712;

Status Unavailable(std::string message) { return {StatusCode::kUnavailable, std::move(message)}; }

/// Makes a context current on this thread for as long as it lives.
class CurrentContext {
 public:
  CurrentContext(const CudaFunctions& functions, void* context)
      : functions_(functions), error_(functions.context_push(context)) {}
  ~CurrentContext() {
    void* popped = nullptr;
    if (error_ == 0) functions_.context_pop(&popped);
  }
  CurrentContext(const CurrentContext&) = delete;
  CurrentContext& operator=(const CurrentContext&) = delete;

  int error() const { return error_; }

 private:
  const CudaFunctions& functions_;
  const int error_;
};

template <typename Function>
bool Find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(platform::FindSymbol(library, name));
  return function != nullptr;
}

bool FindAll(void* library, CudaFunctions& functions) {
  return Find(library, "cuInit", functions.init) &&
         Find(library, "cuDeviceGetCount", functions.device_get_count) &&
         Find(library, "cuDevicePrimaryCtxRetain", functions.primary_context_retain) &&
         Find(library, "cuCtxPushCurrent_v2", functions.context_push) &&
         Find(library, "cuCtxPopCurrent_v2", functions.context_pop) &&
         Find(library, "cuMemHostRegister_v2", functions.host_register) &&
         Find(library, "cuMemHostUnregister", functions.host_unregister);
}

}  // namespace

Status CudaDriver::RegisterHost(std::span<std::byte> bytes) {
  const CurrentContext current(functions_, context_);
  int error = current.error();
  if (error == 0) error = functions_.host_register(bytes.data(), bytes.size(), kRegisterPortable);
  if (error == 0) return {};
  if (error == kAlreadyRegistered) {
    return Unavailable("part of the memory is registered with the CUDA driver already");
  }
  return Unavailable(Text("the CUDA driver refused ", bytes.size(), " bytes (error ", error, ")"));
}

void CudaDriver::UnregisterHost(std::byte* begin) {
  const CurrentContext current(functions_, context_);
  if (current.error() == 0) functions_.host_unregister(begin);
}

Result<std::unique_ptr<DeviceRuntime>> OpenCudaDriver(const char* library) {
  void* const opened = library == nullptr ? nullptr : platform::OpenLibrary(library);
  if (opened == nullptr) return Unavailable("there is no CUDA driver");
  CudaFunctions functions;
  if (!FindAll(opened, functions)) return Unavailable("the CUDA driver lacks functions");
  int error = functions.init(0);
  if (error != 0) return Unavailable(Text("the CUDA driver does not start (error ", error, ")"));
  int devices = 0;
  error = functions.device_get_count(&devices);
  if (error != 0 || devices == 0) return Unavailable("the CUDA driver has no device");
  void* context = nullptr;
  error = functions.primary_context_retain(&context, 0);
  if (error != 0) return Unavailable(Text("CUDA device 0 has no context (error ", error, ")"));
  return std::unique_ptr<DeviceRuntime>(std::make_unique<CudaDriver>(functions, devices, context));
}

DeviceRuntime* ProcessDeviceRuntime() {
  static DeviceRuntime* const runtime = [] {
    auto opened = OpenCudaDriver(platform::CudaDriverName());
    return opened.ok() ? opened.value().release() : nullptr;
  }();
  return runtime;
}

}  // namespace kvbm
