#ifndef KVBM_MUTEX_H_
#define KVBM_MUTEX_H_

#include <condition_variable>
#include <mutex>

/// What clang checks when it compiles: which lock guards a member, and which one a function needs.
#if defined(__clang__)
#define KVBM_THREAD_SAFETY(attribute) __attribute__((attribute))
#else
#define KVBM_THREAD_SAFETY(attribute)
#endif
#define KVBM_GUARDED_BY(mutex) KVBM_THREAD_SAFETY(guarded_by(mutex))
#define KVBM_REQUIRES(mutex) KVBM_THREAD_SAFETY(requires_capability(mutex))

namespace kvbm {

/// std::mutex, known to the check above.
class KVBM_THREAD_SAFETY(capability("mutex")) Mutex {
 public:
  void Lock() KVBM_THREAD_SAFETY(acquire_capability()) { mutex_.lock(); }
  void Unlock() KVBM_THREAD_SAFETY(release_capability()) { mutex_.unlock(); }

  /// Gives the lock back until `condition` is notified; it may be woken for nothing.
  void WaitFor(std::condition_variable& condition) KVBM_REQUIRES(this) {
    std::unique_lock lock(mutex_, std::adopt_lock);
    condition.wait(lock);
    static_cast<void>(lock.release());
  }

 private:
  std::mutex mutex_;
};

/// Holds a mutex for a scope.
class KVBM_THREAD_SAFETY(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) KVBM_THREAD_SAFETY(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.Lock();
  }
  ~MutexLock() KVBM_THREAD_SAFETY(release_capability()) { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace kvbm

#endif  // KVBM_MUTEX_H_
