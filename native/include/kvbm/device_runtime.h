#ifndef KVBM_DEVICE_RUNTIME_H_
#define KVBM_DEVICE_RUNTIME_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "kvbm/status.h"

namespace kvbm {

/// Port: what the core asks of a device's driver. Callable from any thread.
class DeviceRuntime {
 public:
  virtual ~DeviceRuntime() = default;

  virtual int device_count() const = 0;

  /// Page-locks memory and makes it known to all devices. `kUnavailable` when the driver refuses.
  virtual Status RegisterHost(std::span<std::byte> bytes) = 0;
  /// Undoes it; `begin` is where the registered range began.
  virtual void UnregisterHost(std::byte* begin) = 0;
};

/// The CUDA driver of the given library. `kUnavailable` with the reason when there is none or it
/// has no device.
Result<std::unique_ptr<DeviceRuntime>> OpenCudaDriver(const char* library);

/// The driver of this process, opened at the first call; null when there is none. Lives for ever.
DeviceRuntime* ProcessDeviceRuntime();

}  // namespace kvbm

#endif  // KVBM_DEVICE_RUNTIME_H_
