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

/// Threads that run jobs. They sleep when there is none; a long job is shared by all of them.
class Engine {
 public:
  /// Gets the job back when nothing touches it any more. Called on a thread of the engine, or on
  /// the caller's for a job that was cancelled.
  using Done = std::function<void(std::unique_ptr<Job>, Status)>;

  static Result<std::unique_ptr<Engine>> Create(std::size_t threads);

  virtual ~Engine() = default;

  /// `kInvalidArgument` after `Close`; `done` is not called then.
  virtual Status Submit(double ticket, std::unique_ptr<Job> job, Done done) = 0;

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
