#ifndef KVBM_COPY_READY_QUEUE_H_
#define KVBM_COPY_READY_QUEUE_H_

#include <algorithm>
#include <cstddef>
#include <deque>

#include "kvbm/engine.h"

namespace kvbm {

/// Jobs with something to do, in the order in which threads take from them: wanted ones before
/// those in the background, which get every eighth turn, so that they always go on.
template <typename T>
class ReadyQueue {
 public:
  bool empty() const { return wanted_.empty() && background_.empty(); }

  void PushBack(T* job, Urgency urgency) { Of(urgency).push_back(job); }
  void PushFront(T* job, Urgency urgency) { Of(urgency).push_front(job); }

  /// Whose turn it is. Not to be asked when empty.
  T* Next() {
    const bool both = !wanted_.empty() && !background_.empty();
    const bool background = both ? ++turns_ % kBackgroundTurns == 0 : wanted_.empty();
    return background ? background_.front() : wanted_.front();
  }

  void Remove(const T* job) {
    std::erase(wanted_, job);
    std::erase(background_, job);
  }

  /// The first that matches; null when none does.
  template <typename Condition>
  T* Find(Condition matches) const {
    for (const std::deque<T*>* jobs : {&wanted_, &background_}) {
      const auto found = std::ranges::find_if(*jobs, matches);
      if (found != jobs->end()) return *found;
    }
    return nullptr;
  }

 private:
  static constexpr std::size_t kBackgroundTurns = 8;

  std::deque<T*>& Of(Urgency urgency) {
    return urgency == Urgency::kWanted ? wanted_ : background_;
  }

  std::deque<T*> wanted_;
  std::deque<T*> background_;
  std::size_t turns_ = 0;
};

}  // namespace kvbm

#endif  // KVBM_COPY_READY_QUEUE_H_
