#ifndef KVBM_BENCH_CREW_H_
#define KVBM_BENCH_CREW_H_

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace kvbm::bench {

/// Threads that do something together and then wait for the next thing.
class Crew {
 public:
  explicit Crew(std::size_t threads);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  std::size_t size() const { return threads_.size(); }

  /// Calls `work(0)` … `work(size() - 1)` at the same time; the seconds until all were done.
  double Time(const std::function<void(std::size_t)>& work);

 private:
  void Work(std::size_t index);

  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<void(std::size_t)>* work_ = nullptr;
  std::size_t round_ = 0;
  std::size_t running_ = 0;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace kvbm::bench

#endif  // KVBM_BENCH_CREW_H_
