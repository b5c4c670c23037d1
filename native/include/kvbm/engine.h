#ifndef KVBM_ENGINE_H_
#define KVBM_ENGINE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "kvbm/job.h"
#include "kvbm/status.h"

namespace kvbm {

inline constexpr std::size_t kEngineThreadsMax = 1024;

/// How many threads of each kind. A disk wants more requests at a time than there are CPUs.
struct EngineThreads {
  /// Copy and sum in memory.
  std::size_t memory = 1;
  /// Read and write files.
  std::size_t disk = 1;
};

inline constexpr std::uint64_t kRequestBytesMin = 4096;
inline constexpr std::uint64_t kRequestBytesMax = std::uint64_t{1} << 30;

/// What the disk gets at a time.
struct DiskPace {
  /// Requests under way; the threads beyond it rest.
  std::size_t depth = 8;
  /// A longer row is cut. A multiple of `kRequestBytesMin`.
  std::uint64_t request_bytes = std::uint64_t{1} << 20;
};

/// Who waits for a job: somebody who wants blocks, or nobody.
enum class Urgency : std::uint8_t { kWanted, kBackground };

/// Threads that run jobs. They sleep when there is none; a long job is shared by all of its kind.
class Engine {
 public:
  /// Gets the job back when nothing touches it any more. Called on a thread of the engine, or on
  /// the caller's for a job that was cancelled.
  using Done = std::function<void(std::unique_ptr<Job>, Status)>;

  static Result<std::unique_ptr<Engine>> Create(EngineThreads threads);

  virtual ~Engine() = default;

  /// `kInvalidArgument` after `Close`; `done` is not called then.
  virtual Status Submit(double ticket, std::unique_ptr<Job> job, Urgency urgency, Done done) = 0;

  /// For what is handed out from now on. `kInvalidArgument` leaves it as it was.
  virtual Status SetDiskPace(DiskPace pace) = 0;
  virtual DiskPace disk_pace() const = 0;

  /// True when the first job of that ticket had not started: it is done with `kCancelled` then.
  virtual bool Cancel(double ticket) = 0;
  virtual void CancelQueued() = 0;

  /// Refuses new jobs. `closed` is called once, by the last thread, after the last job is done.
  /// Call it once.
  virtual void Close(std::function<void()> closed) = 0;
  virtual bool closing() const = 0;

  /// Waits for the threads, which `Close` has told to end.
  virtual void Join() = 0;
};

}  // namespace kvbm

#endif  // KVBM_ENGINE_H_
