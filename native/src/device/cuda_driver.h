#ifndef KVBM_DEVICE_CUDA_DRIVER_H_
#define KVBM_DEVICE_CUDA_DRIVER_H_

#include <cstddef>
#include <memory>
#include <span>

#include "kvbm/device_runtime.h"

namespace kvbm {

/// The few functions of the CUDA driver in use, by their stable C interface. Results are 0 on
/// success; contexts are opaque.
struct CudaFunctions {
  int (*init)(unsigned int flags) = nullptr;
  int (*device_get_count)(int* count) = nullptr;
  int (*primary_context_retain)(void** context, int device) = nullptr;
  int (*context_push)(void* context) = nullptr;
  int (*context_pop)(void** context) = nullptr;
  int (*host_register)(void* begin, std::size_t size, unsigned int flags) = nullptr;
  int (*host_unregister)(void* begin) = nullptr;
};

/// Host memory through the CUDA driver, in the primary context of device 0, which is kept.
class CudaDriver final : public DeviceRuntime {
 public:
  CudaDriver(const CudaFunctions& functions, int device_count, void* context)
      : functions_(functions), device_count_(device_count), context_(context) {}

  int device_count() const override { return device_count_; }
  Status RegisterHost(std::span<std::byte> bytes) override;
  void UnregisterHost(std::byte* begin) override;

 private:
  const CudaFunctions functions_;
  const int device_count_;
  void* const context_;
};

}  // namespace kvbm

#endif  // KVBM_DEVICE_CUDA_DRIVER_H_
