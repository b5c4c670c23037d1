// The CUDA driver's side of page locking, against a double of its library (cuda_driver_double.cc).
#include "kvbm/device_runtime.h"
#include "platform/platform.h"
#include "tests/world.h"

namespace kvbm {
namespace {

template <typename Function>
Function* OfDouble(const char* name) {
  void* const library = platform::OpenLibrary(KVBM_CUDA_DRIVER_DOUBLE);
  return reinterpret_cast<Function*>(platform::FindSymbol(library, name));
}

void SetDevices(int count) { OfDouble<void(int)>("DoubleSetDevices")(count); }
void RefuseWith(int error) { OfDouble<void(int)>("DoubleRefuseWith")(error); }
std::size_t RegisteredBytes() { return OfDouble<std::size_t()>("DoubleRegisteredBytes")(); }
int CurrentContexts() { return OfDouble<int()>("DoubleCurrentContexts")(); }

DeviceRuntime* Double() {
  static DeviceRuntime* const runtime = OpenCudaDriver(KVBM_CUDA_DRIVER_DOUBLE).value().release();
  return runtime;
}

std::shared_ptr<Memory> OnDouble(std::uint64_t size_bytes) {
  return std::make_shared<Memory>(std::move(MapMemory(size_bytes).value()), &Double);
}

class CudaDriver : public ::testing::Test {
 protected:
  void SetUp() override { RefuseWith(0); }
  void TearDown() override {
    RefuseWith(0);
    SetDevices(1);
    EXPECT_EQ(RegisteredBytes(), 0U) << "a range stayed registered";
    EXPECT_EQ(CurrentContexts(), 0) << "a context stayed current";
  }
};

TEST_F(CudaDriver, IsUnavailableWithoutItsLibrary) {
  EXPECT_EQ(OpenCudaDriver("libkvbm-no-such-library.so").status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(OpenCudaDriver(nullptr).status().code(), StatusCode::kUnavailable);
}

TEST_F(CudaDriver, IsUnavailableWithoutADevice) {
  SetDevices(0);
  const auto opened = OpenCudaDriver(KVBM_CUDA_DRIVER_DOUBLE);
  EXPECT_EQ(opened.status().code(), StatusCode::kUnavailable);
  EXPECT_NE(opened.status().message().find("no device"), std::string::npos);
}

TEST_F(CudaDriver, LocksCommittedPagesAndLetsThemGoWithTheMemory) {
  const auto memory = OnDouble(1 << 20);
  const CommitOutcome outcome = memory->Commit(0, 1 << 20, true);
  EXPECT_EQ(outcome.locked, LockKind::kCuda);
  EXPECT_EQ(outcome.note, "");
  EXPECT_EQ(RegisteredBytes(), std::size_t{1} << 20);
}

TEST_F(CudaDriver, IsNotAskedTwiceForTheSamePages) {
  const auto memory = OnDouble(1 << 20);
  EXPECT_EQ(memory->Commit(0, 1 << 20, true).locked, LockKind::kCuda);
  const CommitOutcome again = memory->Commit(8192, 4096, true);
  EXPECT_EQ(again.locked, LockKind::kCuda);
  EXPECT_EQ(again.note, "");
}

TEST_F(CudaDriver, IsNotAskedWithoutAWishToLock) {
  const auto memory = OnDouble(1 << 20);
  EXPECT_EQ(memory->Commit(0, 1 << 20, false).locked, LockKind::kTouched);
  EXPECT_EQ(RegisteredBytes(), 0U);
}

TEST_F(CudaDriver, ThatRefusesLeavesLockingToTheSystemAndIsNamedInTheNote) {
  RefuseWith(2);
  const auto memory = OnDouble(4096);
  const CommitOutcome outcome = memory->Commit(0, 4096, true);
  EXPECT_NE(outcome.locked, LockKind::kCuda);
  EXPECT_NE(outcome.note.find("CUDA driver refused 4096 bytes (error 2)"), std::string::npos)
      << outcome.note;
}

TEST_F(CudaDriver, LockedPartsSideBySideAreLetGoEach) {
  const auto memory = OnDouble(1 << 20);
  EXPECT_EQ(memory->Commit(0, 65536, true).locked, LockKind::kCuda);
  EXPECT_EQ(memory->Commit(65536, 65536, true).locked, LockKind::kCuda);
  EXPECT_EQ(RegisteredBytes(), 131072U);
}

}  // namespace
}  // namespace kvbm
