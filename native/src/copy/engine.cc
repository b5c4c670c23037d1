#include "kvbm/engine.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

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
    live_threads_ = threads;
    threads_.reserve(threads);
    try {
      while (threads_.size() < threads) threads_.emplace_back([this] { Work(); });
    } catch (const std::system_error& error) {
      const std::lock_guard guard(mutex_);
      live_threads_ = threads_.size();
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
    std::unique_lock lock(mutex_);
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
    const std::lock_guard guard(mutex_);
    if (closing_) return;
    closing_ = true;
    closed_ = std::move(closed);
    wake_.notify_all();
  }

  bool closing() const override {
    const std::lock_guard guard(mutex_);
    return closing_;
  }

  void Join() override {
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

 private:
  using Lock = std::unique_lock<std::mutex>;

  /// A job with nothing to do is ready too: the thread that takes it finds it done.
  void MakeReady(const Lock&, Pending* pending, std::deque<Pending*>::iterator place) {
    const std::size_t items = pending->job->ItemCount(pending->phase) - pending->next_item;
    ready_.insert(place, pending);
    if (items > 1) {
      wake_.notify_all();
    } else {
      wake_.notify_one();
    }
  }

  void Work() {
    Lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return !ready_.empty() || (closing_ && jobs_.empty()); });
      if (ready_.empty()) break;
      Step(lock);
    }
    if (--live_threads_ > 0) return;
    const std::function<void()> closed = std::move(closed_);
    lock.unlock();
    closed();
  }

  /// Takes one item of the first job and runs it.
  void Step(Lock& lock) {
    Pending* const pending = ready_.front();
    pending->started = true;
    pending->running++;
    const bool has_item = pending->HasItems();
    const std::size_t phase = pending->phase;
    const std::size_t item = pending->next_item;
    if (has_item) pending->next_item++;
    if (!pending->HasItems()) ready_.pop_front();
    if (has_item) {
      lock.unlock();
      Status status = pending->job->RunItem(phase, item);
      lock.lock();
      if (!status.ok()) Fail(lock, pending, std::move(status));
    }
    pending->running--;
    if (pending->running == 0 && !pending->HasItems()) GoOn(lock, pending);
  }

  /// The first failure counts; items that were not taken are left.
  void Fail(const Lock&, Pending* pending, Status status) {
    if (!pending->status.ok()) return;
    std::erase(ready_, pending);
    pending->status = std::move(status);
  }

  /// A phase is over: the next one, before other jobs, or the end.
  void GoOn(Lock& lock, Pending* pending) {
    pending->SkipEmptyPhases();
    if (pending->HasItems()) {
      MakeReady(lock, pending, ready_.begin());
      return;
    }
    const std::unique_ptr<Pending> finished = Remove(lock, pending);
    lock.unlock();
    finished->done(std::move(finished->job), std::move(finished->status));
    lock.lock();
    if (closing_ && jobs_.empty()) wake_.notify_all();
  }

  template <typename Condition>
  bool CancelFirst(Condition matches) {
    Lock lock(mutex_);
    const auto found = std::ranges::find_if(
        ready_, [&](const Pending* pending) { return !pending->started && matches(*pending); });
    if (found == ready_.end()) return false;
    const std::unique_ptr<Pending> cancelled = Remove(lock, *found);
    ready_.erase(found);
    if (closing_ && jobs_.empty()) wake_.notify_all();
    lock.unlock();
    cancelled->done(std::move(cancelled->job),
                    {StatusCode::kCancelled, "The job was cancelled before it started."});
    return true;
  }

  std::unique_ptr<Pending> Remove(const Lock&, const Pending* pending) {
    const auto found = std::ranges::find_if(
        jobs_, [&](const std::unique_ptr<Pending>& job) { return job.get() == pending; });
    std::unique_ptr<Pending> removed = std::move(*found);
    jobs_.erase(found);
    return removed;
  }

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  // All below are guarded by `mutex_`, except `threads_`, which belongs to the owner.
  /// Jobs that are not done, oldest first.
  std::deque<std::unique_ptr<Pending>> jobs_;
  /// Those of them that have items to take, in the order in which threads take them.
  std::deque<Pending*> ready_;
  std::function<void()> closed_;
  std::size_t live_threads_ = 0;
  bool closing_ = false;
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
