#include "kvbm/engine.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <list>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "copy/ready_queue.h"
#include "kvbm/mutex.h"
#include "text.h"

namespace kvbm {
namespace {

/// A job in the engine. It is done when no item is left to take and none is running.
struct Pending {
  double ticket = 0;
  std::unique_ptr<Job> job;
  Urgency urgency = Urgency::kWanted;
  Engine::Done done;
  std::size_t phase = 0;
  std::size_t next_item = 0;
  std::size_t running = 0;
  bool started = false;
  Status status;
  /// Where it stands among all jobs.
  std::list<std::unique_ptr<Pending>>::iterator place;

  std::size_t ItemsLeft() const { return job->ItemCount(phase) - next_item; }
  bool HasItems() const { return status.ok() && ItemsLeft() > 0; }

  /// Goes on to the first phase with something to do.
  void SkipEmptyPhases() {
    while (status.ok() && !HasItems() && phase + 1 < job->phase_count()) {
      phase++;
      next_item = 0;
    }
  }
};

/// Threads of one kind and what is ready for them. Guarded by the engine's mutex.
struct Lane {
  ReadyQueue<Pending> ready;
  std::condition_variable wake;
  /// Items under way, and how many there may be. Who ends one looks for the next before it rests,
  /// so nobody needs to be woken when the lane stops being full.
  std::size_t running = 0;
  std::size_t running_max = kEngineThreadsMax;

  bool CanGoOn() const { return !ready.empty() && running < running_max; }

  /// No more than may run: each of the others would only look and rest again. A job without items
  /// needs somebody, too, who finds it done.
  void Wake(std::size_t items) {
    const std::size_t room = running_max - std::min(running, running_max);
    const std::size_t wanted = std::min(std::max<std::size_t>(items, 1), room);
    for (std::size_t i = 0; i < wanted; i++) wake.notify_one();
  }
};

Status CheckCount(const char* name, std::size_t threads) {
  if (threads >= 1 && threads <= kEngineThreadsMax) return {};
  return InvalidArgument(
      Text(name, ": expected 1 to ", kEngineThreadsMax, ", got ", threads, " (number)"));
}

Status CheckPace(const DiskPace& pace) {
  KVBM_RETURN_IF_ERROR(CheckCount("depth", pace.depth));
  const std::uint64_t bytes = pace.request_bytes;
  const bool fits = bytes >= kRequestBytesMin && bytes <= kRequestBytesMax;
  if (fits && bytes % kRequestBytesMin == 0) return {};
  return InvalidArgument(Text("requestBytes: expected a multiple of ", kRequestBytesMin, " up to ",
                              kRequestBytesMax, ", got ", bytes, " (number)"));
}

class ThreadedEngine final : public Engine {
 public:
  ThreadedEngine() = default;
  ~ThreadedEngine() override {
    Close([] {});
    Join();
  }
  ThreadedEngine(const ThreadedEngine&) = delete;
  ThreadedEngine& operator=(const ThreadedEngine&) = delete;

  Status Start(EngineThreads threads) {
    const std::size_t count = threads.memory + threads.disk;
    CountThreads(count);
    SetMemoryThreads(threads.memory);
    KVBM_RETURN_IF_ERROR(SetDiskPace({.depth = threads.disk}));
    threads_.reserve(count);
    try {
      while (threads_.size() < count) {
        Lane& lane = threads_.size() < threads.memory ? memory_ : disk_;
        threads_.emplace_back([this, &lane] { Work(lane); });
      }
    } catch (const std::system_error& error) {
      CountThreads(threads_.size());
      return {StatusCode::kUnavailable,
              Text("The system gave ", threads_.size(), " of ", count,
                   " threads. Ask for fewer or raise the limit."),
              error.code().value()};
    }
    return {};
  }

  Status Submit(double ticket, std::unique_ptr<Job> job, Urgency urgency, Done done) override {
    auto pending = std::make_unique<Pending>();
    pending->ticket = ticket;
    pending->job = std::move(job);
    pending->urgency = urgency;
    pending->done = std::move(done);
    pending->SkipEmptyPhases();
    const MutexLock lock(mutex_);
    if (closing_) return InvalidArgument("engine: it is closed");
    jobs_.push_back(std::move(pending));
    Pending* const added = jobs_.back().get();
    added->place = std::prev(jobs_.end());
    // A job with nothing to do is ready too: the thread that takes it finds it done.
    LaneOf(*added).ready.PushBack(added, urgency);
    LaneOf(*added).Wake(added->ItemsLeft());
    return {};
  }

  Status SetDiskPace(DiskPace pace) override {
    KVBM_RETURN_IF_ERROR(CheckPace(pace));
    const MutexLock lock(mutex_);
    pace_ = pace;
    disk_.running_max = pace.depth;
    disk_.wake.notify_all();
    return {};
  }

  DiskPace disk_pace() const override {
    const MutexLock lock(mutex_);
    return pace_;
  }

  bool Cancel(double ticket) override {
    return CancelFirst([&](const Pending* pending) { return pending->ticket == ticket; });
  }

  void CancelQueued() override {
    while (CancelFirst([](const Pending*) { return true; })) {
    }
  }

  void Close(std::function<void()> closed) override {
    const MutexLock lock(mutex_);
    if (closing_) return;
    closing_ = true;
    closed_ = std::move(closed);
    WakeAll(lock);
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

  void SetMemoryThreads(std::size_t threads) {
    const MutexLock lock(mutex_);
    memory_.running_max = threads;
  }

  Lane& LaneOf(const Pending& pending) KVBM_REQUIRES(mutex_) {
    return pending.job->UsesDisk(pending.phase) ? disk_ : memory_;
  }

  void WakeAll(const MutexLock&) KVBM_REQUIRES(mutex_) {
    memory_.wake.notify_all();
    disk_.wake.notify_all();
  }

  void Work(Lane& lane) {
    const std::function<void()> closed = RunUntilClosed(lane);
    if (closed != nullptr) closed();
  }

  /// The last thread gets what is to be called at the end.
  std::function<void()> RunUntilClosed(Lane& lane) {
    const MutexLock lock(mutex_);
    while (AwaitJob(lock, lane)) Step(lock, lane);
    return --live_threads_ > 0 ? nullptr : std::move(closed_);
  }

  /// False when there will be none any more.
  bool AwaitJob(const MutexLock&, Lane& lane) KVBM_REQUIRES(mutex_) {
    while (!lane.CanGoOn() && !(closing_ && jobs_.empty())) mutex_.WaitFor(lane.wake);
    return lane.CanGoOn();
  }

  /// Takes one item of the job whose turn it is and runs it, without the lock.
  void Step(const MutexLock& lock, Lane& lane) KVBM_REQUIRES(mutex_) {
    Pending* const pending = lane.ready.Next();
    pending->started = true;
    pending->running++;
    const bool has_item = pending->HasItems();
    const std::size_t phase = pending->phase;
    const std::size_t item = pending->next_item;
    if (has_item) pending->next_item++;
    if (!pending->HasItems()) lane.ready.Remove(pending);
    if (has_item) {
      lane.running++;
      mutex_.Unlock();
      Status status = pending->job->RunItem(phase, item);
      mutex_.Lock();
      lane.running--;
      if (!status.ok()) Fail(lock, lane, pending, std::move(status));
    }
    pending->running--;
    if (pending->running == 0 && !pending->HasItems()) GoOn(lock, pending);
  }

  /// The first failure counts; items that were not taken are left.
  void Fail(const MutexLock&, Lane& lane, Pending* pending, Status status) KVBM_REQUIRES(mutex_) {
    if (!pending->status.ok()) return;
    lane.ready.Remove(pending);
    pending->status = std::move(status);
  }

  /// A phase is over: the next one, before other jobs, or the end.
  void GoOn(const MutexLock& lock, Pending* pending) KVBM_REQUIRES(mutex_) {
    pending->SkipEmptyPhases();
    if (pending->HasItems()) {
      LaneOf(*pending).ready.PushFront(pending, pending->urgency);
      LaneOf(*pending).Wake(pending->ItemsLeft());
      return;
    }
    const std::unique_ptr<Pending> finished = Remove(lock, pending);
    mutex_.Unlock();
    finished->done(std::move(finished->job), std::move(finished->status));
    mutex_.Lock();
    if (closing_ && jobs_.empty()) WakeAll(lock);
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
    const auto waits = [&](const Pending* pending) { return !pending->started && matches(pending); };
    for (Lane* lane : {&memory_, &disk_}) {
      Pending* const found = lane->ready.Find(waits);
      if (found == nullptr) continue;
      lane->ready.Remove(found);
      return found;
    }
    return nullptr;
  }

  void Forget(Pending* pending) {
    const MutexLock lock(mutex_);
    static_cast<void>(Remove(lock, pending));
    if (closing_ && jobs_.empty()) WakeAll(lock);
  }

  std::unique_ptr<Pending> Remove(const MutexLock&, Pending* pending) KVBM_REQUIRES(mutex_) {
    std::unique_ptr<Pending> removed = std::move(*pending->place);
    jobs_.erase(removed->place);
    return removed;
  }

  mutable Mutex mutex_;
  /// Jobs that are not done, oldest first. Each is ready in at most one lane.
  std::list<std::unique_ptr<Pending>> jobs_ KVBM_GUARDED_BY(mutex_);
  Lane memory_ KVBM_GUARDED_BY(mutex_);
  Lane disk_ KVBM_GUARDED_BY(mutex_);
  DiskPace pace_ KVBM_GUARDED_BY(mutex_);
  std::function<void()> closed_ KVBM_GUARDED_BY(mutex_);
  std::size_t live_threads_ KVBM_GUARDED_BY(mutex_) = 0;
  bool closing_ KVBM_GUARDED_BY(mutex_) = false;
  /// The owner's.
  std::vector<std::thread> threads_;
};

}  // namespace

Result<std::unique_ptr<Engine>> Engine::Create(EngineThreads threads) {
  KVBM_RETURN_IF_ERROR(CheckCount("threads", threads.memory));
  KVBM_RETURN_IF_ERROR(CheckCount("diskThreads", threads.disk));
  auto engine = std::make_unique<ThreadedEngine>();
  KVBM_RETURN_IF_ERROR(engine->Start(threads));
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace kvbm
