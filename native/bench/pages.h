#ifndef KVBM_BENCH_PAGES_H_
#define KVBM_BENCH_PAGES_H_

#include <cstddef>

namespace kvbm::bench {

/// Touched memory on pages of one size, where the system gives them.
class Pages {
 public:
  Pages(std::size_t size_bytes, bool huge);
  ~Pages();
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  /// At a multiple of 2 MiB.
  std::byte* bytes() const { return bytes_; }

 private:
  void* mapping_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  std::byte* bytes_ = nullptr;
};

}  // namespace kvbm::bench

#endif  // KVBM_BENCH_PAGES_H_
