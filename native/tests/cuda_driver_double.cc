// A double of the CUDA driver's library for tests: our own code behind the driver's C interface.
// It registers ranges in a list and checks what its callers promise. It is no GPU.
#include <cstddef>
#include <map>
#include <mutex>

namespace {

constexpr int kSuccess = 0;
constexpr int kInvalidValue = 1;
constexpr int kNoContext = 201;
constexpr int kAlreadyRegistered = 712;
constexpr int kNotRegistered = 713;

std::mutex mutex;
std::map<char*, std::size_t> registered;
int devices = 1;
int refusal = 0;
int context;
thread_local int current_contexts = 0;

bool OverlapsRegistered(char* begin, std::size_t size) {
  for (const auto& [other, other_size] : registered) {
    if (begin < other + other_size && other < begin + size) return true;
  }
  return false;
}

}  // namespace

extern "C" {

int cuInit(unsigned int flags) { return flags == 0 ? kSuccess : kInvalidValue; }

int cuDeviceGetCount(int* count) {
  *count = devices;
  return kSuccess;
}

int cuDevicePrimaryCtxRetain(void** retained, int device) {
  *retained = &context;
  return device == 0 ? kSuccess : kInvalidValue;
}

int cuCtxPushCurrent_v2(void* pushed) {
  if (pushed != &context) return kInvalidValue;
  current_contexts++;
  return kSuccess;
}

int cuCtxPopCurrent_v2(void** popped) {
  if (current_contexts == 0) return kNoContext;
  current_contexts--;
  *popped = &context;
  return kSuccess;
}

int cuMemHostRegister_v2(void* begin, std::size_t size, unsigned int) {
  const std::lock_guard guard(mutex);
  if (current_contexts == 0) return kNoContext;
  if (refusal != 0) return refusal;
  if (OverlapsRegistered(static_cast<char*>(begin), size)) return kAlreadyRegistered;
  registered[static_cast<char*>(begin)] = size;
  return kSuccess;
}

int cuMemHostUnregister(void* begin) {
  const std::lock_guard guard(mutex);
  if (current_contexts == 0) return kNoContext;
  return registered.erase(static_cast<char*>(begin)) == 1 ? kSuccess : kNotRegistered;
}

// For the tests, not in the real interface.
void DoubleSetDevices(int count) { devices = count; }
void DoubleRefuseWith(int error) { refusal = error; }
std::size_t DoubleRegisteredBytes() {
  const std::lock_guard guard(mutex);
  std::size_t bytes = 0;
  for (const auto& [begin, size] : registered) bytes += size;
  return bytes;
}
int DoubleCurrentContexts() { return current_contexts; }
}
