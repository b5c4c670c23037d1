#include "kvbm/engine.h"

#include <algorithm>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "kvbm/crc32c.h"
#include "tests/world.h"

namespace kvbm {
namespace {

using testing::MemoryOver;
using testing::NewFile;
using testing::Pattern;
using testing::TemporaryFolder;

constexpr std::size_t kBytes = std::size_t{4} << 20;

/// How a job ended, and the job.
struct Ended {
  std::unique_ptr<Job> job;
  Status status;
};

class EngineTest : public ::testing::Test {
 protected:
  void Start(std::size_t threads) {
    engine_ = std::move(Engine::Create({.memory = threads, .disk = threads}).value());
  }

  double Add(std::shared_ptr<Memory> memory) {
    return static_cast<double>(table_.Add(std::move(memory)));
  }

  std::future<Ended> Submit(double ticket, const std::vector<double>& runs,
                            const std::vector<double>& pieces = {}, std::size_t blocks = 0,
                            Urgency urgency = Urgency::kWanted) {
    auto job = Job::Create(
        table_, {.runs = runs, .pieces = pieces, .blocks = blocks, .sum_when = SumWhen::kAfter});
    EXPECT_TRUE(job.ok()) << job.status().message();
    auto promise = std::make_shared<std::promise<Ended>>();
    const Status status = engine_->Submit(ticket, std::move(job.value()), urgency,
                                          [promise](std::unique_ptr<Job> ended, Status how) {
                                            promise->set_value({std::move(ended), std::move(how)});
                                          });
    EXPECT_TRUE(status.ok());
    return promise->get_future();
  }

  void CloseAndWait() {
    std::promise<void> closed;
    engine_->Close([&] { closed.set_value(); });
    closed.get_future().wait();
    engine_->Join();
  }

  RegionTable table_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, RefusesAPaceThatNoDiskCanHaveAndKeepsTheOneItHas) {
  Start(2);
  ASSERT_TRUE(engine_->SetDiskPace({.depth = 3, .request_bytes = 8192}).ok());
  for (const DiskPace pace : {DiskPace{.depth = 0}, DiskPace{.depth = kEngineThreadsMax + 1},
                              DiskPace{.request_bytes = 0}, DiskPace{.request_bytes = 5000},
                              DiskPace{.request_bytes = kRequestBytesMax + kRequestBytesMin}}) {
    EXPECT_EQ(engine_->SetDiskPace(pace).code(), StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(engine_->disk_pace().depth, 3U);
  EXPECT_EQ(engine_->disk_pace().request_bytes, 8192U);
}

TEST_F(EngineTest, WritesEverythingOfManyJobsWithOneRequestAtATime) {
  Start(4);
  ASSERT_TRUE(engine_->SetDiskPace({.depth = 1}).ok());
  const TemporaryFolder folder;
  const auto file = NewFile(folder / "data");
  const auto to = static_cast<double>(table_.Add(file));
  auto source = Pattern(kBytes);
  const double from = Add(MemoryOver(source));
  std::vector<std::future<Ended>> ends;
  const double part = kBytes / 8;
  for (int i = 0; i < 8; i++) ends.push_back(Submit(i, {from, i * part, to, i * part, part}));
  ASSERT_TRUE(engine_->SetDiskPace({.depth = 2}).ok());
  for (auto& end : ends) EXPECT_TRUE(end.get().status.ok());
  std::vector<std::byte> found(kBytes);
  ASSERT_TRUE(file->ReadAll(found, 0).ok());
  EXPECT_EQ(found, source);
}

TEST_F(EngineTest, RunsManyJobsOnManyThreadsAndSumsThem) {
  Start(4);
  auto source = Pattern(kBytes);
  const double from = Add(MemoryOver(source));
  std::vector<std::vector<std::byte>> targets(24, std::vector<std::byte>(kBytes));
  std::vector<std::future<Ended>> ends;
  for (std::size_t i = 0; i < targets.size(); i++) {
    const double to = Add(MemoryOver(targets[i]));
    const double length = kBytes;
    ends.push_back(Submit(static_cast<double>(i), {from, 0, to, 0, length},
                          {0, to, 0, length / 2, 1, to, length / 2, length / 2}, 2));
  }
  const std::span all(source);
  for (std::size_t i = 0; i < targets.size(); i++) {
    const Ended ended = ends[i].get();
    ASSERT_TRUE(ended.status.ok());
    EXPECT_EQ(targets[i], source);
    std::vector<std::uint32_t> sums(2);
    ended.job->WriteSums(sums);
    EXPECT_EQ(sums[0], Crc32c(all.first(kBytes / 2)));
    EXPECT_EQ(sums[1], Crc32c(all.subspan(kBytes / 2)));
  }
}

TEST_F(EngineTest, TakesJobsFromManyThreads) {
  Start(2);
  auto source = Pattern(100'000);
  const double from = Add(MemoryOver(source));
  std::vector<std::vector<std::byte>> targets(4, std::vector<std::byte>(source.size()));
  std::vector<std::thread> callers;
  for (auto& target : targets) {
    callers.emplace_back([&, to = Add(MemoryOver(target))] {
      for (int round = 0; round < 50; round++) {
        const Ended ended = Submit(1, {from, 0, to, 0, 100'000}).get();
        EXPECT_TRUE(ended.status.ok());
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (const auto& target : targets) EXPECT_EQ(target, source);
}

TEST_F(EngineTest, EndsAJobWithoutRows) {
  Start(1);
  EXPECT_TRUE(Submit(1, {}).get().status.ok());
}

TEST_F(EngineTest, EndsAJobOnceWithItsFirstFailure) {
  const TemporaryFolder folder;
  Start(4);
  auto target = Pattern(kBytes);
  const double to = Add(MemoryOver(target));
  const double file = static_cast<double>(table_.Add(NewFile(folder / "empty")));
  for (int round = 0; round < 20; round++) {
    const Ended ended = Submit(1, {file, 0, to, 0, static_cast<double>(kBytes)}).get();
    EXPECT_EQ(ended.status.code(), StatusCode::kStorageIo);
  }
}

TEST_F(EngineTest, AFailedCopyIsNotSummed) {
  const TemporaryFolder folder;
  Start(2);
  auto target = Pattern(1000);
  const double to = Add(MemoryOver(target));
  const double file = static_cast<double>(table_.Add(NewFile(folder / "empty")));
  const Ended ended = Submit(1, {file, 0, to, 0, 1000}, {0, to, 0, 1000}, 1).get();
  EXPECT_EQ(ended.status.code(), StatusCode::kStorageIo);
}

/// Keeps the only thread busy until it is let go: `done` callbacks run on it.
class Gate {
 public:
  void Hold() {
    std::unique_lock lock(mutex_);
    held_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
  }
  void WaitUntilHeld() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return held_; });
  }
  void Open() {
    const std::lock_guard guard(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  bool open_ = false;
};

class BusyEngineTest : public EngineTest {
 protected:
  void SetUp() override {
    Start(1);
    auto job = Job::Create(table_, {});
    ASSERT_TRUE(engine_
                    ->Submit(0, std::move(job.value()), Urgency::kWanted,
                             [this](std::unique_ptr<Job>, const Status&) { gate_.Hold(); })
                    .ok());
    gate_.WaitUntilHeld();
  }

  Gate gate_;
};

TEST_F(BusyEngineTest, CancelsWhatWaitsAndLeavesItsTargetAlone) {
  auto source = Pattern(kBytes);
  std::vector<std::byte> target(kBytes);
  const double from = Add(MemoryOver(source));
  const double to = Add(MemoryOver(target));
  auto first = Submit(1, {from, 0, to, 0, static_cast<double>(kBytes)});
  auto second = Submit(2, {from, 0, to, 0, 100'000});
  EXPECT_TRUE(engine_->Cancel(1));
  EXPECT_FALSE(engine_->Cancel(1));
  EXPECT_FALSE(engine_->Cancel(7));
  EXPECT_EQ(first.get().status.code(), StatusCode::kCancelled);
  EXPECT_EQ(target, std::vector<std::byte>(kBytes));
  gate_.Open();
  EXPECT_TRUE(second.get().status.ok());
}

/// The order in which jobs end on the only thread, by ticket.
class OrderTest : public BusyEngineTest {
 protected:
  void Add(double ticket, Urgency urgency) {
    const auto done = [this, ticket](std::unique_ptr<Job>, const Status&) {
      order_.push_back(ticket);
    };
    auto job = std::move(Job::Create(table_, {}).value());
    ASSERT_TRUE(engine_->Submit(ticket, std::move(job), urgency, done).ok());
  }

  std::vector<double> Run() {
    gate_.Open();
    CloseAndWait();
    return order_;
  }

 private:
  std::vector<double> order_;
};

TEST_F(OrderTest, WhatIsWantedGoesBeforeWhatIsNot) {
  Add(1, Urgency::kBackground);
  Add(2, Urgency::kWanted);
  Add(3, Urgency::kBackground);
  Add(4, Urgency::kWanted);
  EXPECT_EQ(Run(), (std::vector<double>{2, 4, 1, 3}));
}

TEST_F(OrderTest, WhatIsNotWantedGoesOnAlthoughMoreIsWanted) {
  for (int i = 0; i < 20; i++) Add(i, Urgency::kWanted);
  Add(100, Urgency::kBackground);
  const std::vector<double> order = Run();
  EXPECT_LT(std::ranges::find(order, 100) - order.begin(), 10);
}

TEST_F(BusyEngineTest, CopiesInMemoryWhileTheDisksThreadsAreIdleOrBusy) {
  const TemporaryFolder folder;
  auto source = Pattern(1000);
  const double from = Add(MemoryOver(source));
  const double file = static_cast<double>(table_.Add(NewFile(folder / "written")));
  // The thread for memory is held; the one for files is not.
  EXPECT_TRUE(Submit(1, {from, 0, file, 0, 1000}).get().status.ok());
  gate_.Open();
}

TEST_F(BusyEngineTest, RunsWhatWaitsBeforeItCloses) {
  auto source = Pattern(kBytes);
  std::vector<std::byte> target(kBytes);
  auto end = Submit(
      1, {Add(MemoryOver(source)), 0, Add(MemoryOver(target)), 0, static_cast<double>(kBytes)});
  std::promise<void> closed;
  engine_->Close([&] { closed.set_value(); });
  EXPECT_TRUE(engine_->closing());
  EXPECT_EQ(engine_->Submit(2, std::move(Job::Create(table_, {}).value()), Urgency::kWanted, {})
                .code(),
            StatusCode::kInvalidArgument);
  gate_.Open();
  closed.get_future().wait();
  EXPECT_TRUE(end.get().status.ok());
  EXPECT_EQ(target, source);
}

TEST_F(BusyEngineTest, ClosesWhenAllThatWaitsWasCancelled) {
  auto first = Submit(1, {});
  auto second = Submit(2, {});
  engine_->CancelQueued();
  EXPECT_EQ(first.get().status.code(), StatusCode::kCancelled);
  EXPECT_EQ(second.get().status.code(), StatusCode::kCancelled);
  gate_.Open();
  CloseAndWait();
}

TEST_F(BusyEngineTest, IsClosedAfterTheLastJobIsDoneAlsoIfThatWasCancelled) {
  std::promise<void> closed;
  const auto is_closed = closed.get_future();
  auto waited = std::future_status::ready;
  const auto done = [&](std::unique_ptr<Job>, const Status&) {
    gate_.Open();
    // Time for a thread that would close too early.
    waited = is_closed.wait_for(std::chrono::milliseconds(50));
  };
  ASSERT_TRUE(
      engine_->Submit(1, std::move(Job::Create(table_, {}).value()), Urgency::kWanted, done).ok());
  engine_->Close([&] { closed.set_value(); });
  EXPECT_TRUE(engine_->Cancel(1));
  EXPECT_EQ(waited, std::future_status::timeout);
  is_closed.wait();
}

TEST_F(EngineTest, ClosedWhileIdleEndsItsThreads) {
  Start(3);
  CloseAndWait();
}

TEST_F(EngineTest, DestroyedWithJobsQueuedRunsThem) {
  auto source = Pattern(kBytes);
  std::vector<std::byte> target(kBytes);
  Start(2);
  auto end = Submit(
      1, {Add(MemoryOver(source)), 0, Add(MemoryOver(target)), 0, static_cast<double>(kBytes)});
  engine_.reset();
  EXPECT_TRUE(end.get().status.ok());
  EXPECT_EQ(target, source);
}

TEST(Engine, WantsASensibleNumberOfThreads) {
  for (const EngineThreads threads :
       {EngineThreads{0, 1}, {1, 0}, {1'000'000, 1}, {1, 1'000'000}}) {
    EXPECT_EQ(Engine::Create(threads).status().code(), StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace kvbm
