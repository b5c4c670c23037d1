#include "kvbm/engine.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "kvbm/mutex.h"
#include "text.h"

namespace kvbm {
namespace {

/// A job in the engine. It is done when no item is left to take and none is running.
struct Pending {
  double ticket = 0;
  std::unique_ptr<Job> job;
  Engine::Done done;
  std::size_t phase = 0;
  std::size_t next_item = 0;
  std::size_t running = 0;
  bool started = false;
  Status status;

  bool HasItems() const { return status.ok() && next_item < job->ItemCount(phase); }

  /// Goes on to the first phase with something to do.
  void SkipEmptyPhases() {
    while (status.ok() && !HasItems() && phase + 1 < job->phase_count()) {
      phase++;
      next_item = 0;
    }
  }
};

class ThreadedEngine final : public Engine {
 public:
  ThreadedEngine() = default;
  ~ThreadedEngine() override {
    Close([] {});
    Join();
  }
  ThreadedEngine(const ThreadedEngine&) = delete;
  ThreadedEngine& operator=(const ThreadedEngine&) = delete;

  Status Start(std::size_t threads) {
    CountThreads(threads);
    threads_.reserve(threads);
    try {
      while (threads_.size() < threads) threads_.emplace_back([this] { Work(); });
    } catch (const std::system_error& error) {
      CountThreads(threads_.size());
      return {StatusCode::kUnavailable,
              Text("The system gave ", threads_.size(), " of ", threads,
                   " threads. Ask for fewer or raise the limit."),
              error.code().value()};
    }
    return {};
  }

  Status Submit(double ticket, std::unique_ptr<Job> job, Done done) override {
    auto pending = std::make_unique<Pending>();
    pending->ticket = ticket;
    pending->job = std::move(job);
    pending->done = std::move(done);
    pending->SkipEmptyPhases();
    const MutexLock lock(mutex_);
    if (closing_) return InvalidArgument("engine: it is closed");
    jobs_.push_back(std::move(pending));
    MakeReady(lock, jobs_.back().get(), ready_.end());
    return {};
  }

  bool Cancel(double ticket) override {
    return CancelFirst([&](const Pending& pending) { return pending.ticket == ticket; });
  }

  void CancelQueued() override {
    while (CancelFirst([](const Pending&) { return true; })) {
    }
  }

  void Close(std::function<void()> closed) override {
    const MutexLock lock(mutex_);
    if (closing_) return;
    closing_ = true;
    closed_ = std::move(closed);
    wake_.notify_all();
  }

  bool closing() const override {
    const MutexLock lock(mutex_);
    return closing_;
  }

  void Join() override {
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

 private:
  void CountThreads(std::size_t threads) {
    const MutexLock lock(mutex_);
    live_threads_ = threads;
  }

  /// A job with nothing to do is ready too: the thread that takes it finds it done.
  void MakeReady(const MutexLock&, Pending* pending, std::deque<Pending*>::iterator place)
      KVBM_REQUIRES(mutex_) {
    const std::size_t items = pending->job->ItemCount(pending->phase) - pending->next_item;
    ready_.insert(place, pending);
    if (items > 1) {
      wake_.notify_all();
    } else {
      wake_.notify_one();
    }
  }

  void Work() {
    const std::function<void()> closed = RunUntilClosed();
    if (closed != nullptr) closed();
  }

  /// The last thread gets what is to be called at the end.
  std::function<void()> RunUntilClosed() {
    const MutexLock lock(mutex_);
    while (AwaitJob(lock)) Step(lock);
    return --live_threads_ > 0 ? nullptr : std::move(closed_);
  }

  /// False when there will be none any more.
  bool AwaitJob(const MutexLock&) KVBM_REQUIRES(mutex_) {
    while (ready_.empty() && !(closing_ && jobs_.empty())) mutex_.WaitFor(wake_);
    return !ready_.empty();
  }

  /// Takes one item of the first job and runs it, without the lock.
  void Step(const MutexLock& lock) KVBM_REQUIRES(mutex_) {
    Pending* const pending = ready_.front();
    pending->started = true;
    pending->running++;
    const bool has_item = pending->HasItems();
    const std::size_t phase = pending->phase;
    const std::size_t item = pending->next_item;
    if (has_item) pending->next_item++;
    if (!pending->HasItems()) ready_.pop_front();
    if (has_item) {
      mutex_.Unlock();
      Status status = pending->job->RunItem(phase, item);
      mutex_.Lock();
      if (!status.ok()) Fail(lock, pending, std::move(status));
    }
    pending->running--;
    if (pending->running == 0 && !pending->HasItems()) GoOn(lock, pending);
  }

  /// The first failure counts; items that were not taken are left.
  void Fail(const MutexLock&, Pending* pending, Status status) KVBM_REQUIRES(mutex_) {
    if (!pending->status.ok()) return;
    std::erase(ready_, pending);
    pending->status = std::move(status);
  }

  /// A phase is over: the next one, before other jobs, or the end.
  void GoOn(const MutexLock& lock, Pending* pending) KVBM_REQUIRES(mutex_) {
    pending->SkipEmptyPhases();
    if (pending->HasItems()) {
      MakeReady(lock, pending, ready_.begin());
      return;
    }
    const std::unique_ptr<Pending> finished = Remove(lock, pending);
    mutex_.Unlock();
    finished->done(std::move(finished->job), std::move(finished->status));
    mutex_.Lock();
    if (closing_ && jobs_.empty()) wake_.notify_all();
  }

  template <typename Condition>
  bool CancelFirst(Condition matches) {
    Pending* const cancelled = TakeFirst(matches);
    if (cancelled == nullptr) return false;
    cancelled->done(std::move(cancelled->job),
                    {StatusCode::kCancelled, "The job was cancelled before it started."});
    Forget(cancelled);
    return true;
  }

  /// The first matching job that has not started, which no thread takes any more; null when there
  /// is none. It stays among the jobs until it is done: the engine is closed after its last job.
  template <typename Condition>
  Pending* TakeFirst(Condition matches) {
    const MutexLock lock(mutex_);
    const auto found = std::ranges::find_if(
        ready_, [&](const Pending* pending) { return !pending->started && matches(*pending); });
    if (found == ready_.end()) return nullptr;
    Pending* const taken = *found;
    ready_.erase(found);
    return taken;
  }

  void Forget(const Pending* pending) {
    const MutexLock lock(mutex_);
    static_cast<void>(Remove(lock, pending));
    if (closing_ && jobs_.empty()) wake_.notify_all();
  }

  std::unique_ptr<Pending> Remove(const MutexLock&, const Pending* pending) KVBM_REQUIRES(mutex_) {
    const auto found = std::ranges::find_if(
        jobs_, [&](const std::unique_ptr<Pending>& job) { return job.get() == pending; });
    std::unique_ptr<Pending> removed = std::move(*found);
    jobs_.erase(found);
    return removed;
  }

  mutable Mutex mutex_;
  std::condition_variable wake_;
  /// Jobs that are not done, oldest first.
  std::deque<std::unique_ptr<Pending>> jobs_ KVBM_GUARDED_BY(mutex_);
  /// Those of them that have items to take, in the order in which threads take them.
  std::deque<Pending*> ready_ KVBM_GUARDED_BY(mutex_);
  std::function<void()> closed_ KVBM_GUARDED_BY(mutex_);
  std::size_t live_threads_ KVBM_GUARDED_BY(mutex_) = 0;
  bool closing_ KVBM_GUARDED_BY(mutex_) = false;
  /// The owner's.
  std::vector<std::thread> threads_;
};

}  // namespace

Result<std::unique_ptr<Engine>> Engine::Create(std::size_t threads) {
  if (threads < 1 || threads > kEngineThreadsMax) {
    return InvalidArgument(
        Text("threads: expected 1 to ", kEngineThreadsMax, ", got ", threads, " (number)"));
  }
  auto engine = std::make_unique<ThreadedEngine>();
  KVBM_RETURN_IF_ERROR(engine->Start(threads));
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace kvbm
