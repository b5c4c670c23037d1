#include "crew.h"

#include <chrono>

namespace kvbm::bench {

Crew::Crew(std::size_t threads) {
  for (std::size_t i = 0; i < threads; i++) threads_.emplace_back([this, i] { Work(i); });
}

Crew::~Crew() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

double Crew::Time(const std::function<void(std::size_t)>& work) {
  const auto begin = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  work_ = &work;
  running_ = threads_.size();
  round_++;
  changed_.notify_all();
  changed_.wait(lock, [&] { return running_ == 0; });
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void Crew::Work(std::size_t index) {
  std::unique_lock lock(mutex_);
  for (std::size_t round = 1;; round++) {
    changed_.wait(lock, [&] { return ending_ || round_ == round; });
    if (ending_) return;
    const auto& work = *work_;
    lock.unlock();
    work(index);
    lock.lock();
    if (--running_ == 0) changed_.notify_all();
  }
}

}  // namespace kvbm::bench
