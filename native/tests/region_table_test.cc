#include "kvbm/region_table.h"

#include <cmath>
#include <limits>
#include <thread>

#include "tests/world.h"

namespace kvbm {
namespace {

using testing::Mapped;
using testing::NewFile;
using testing::TemporaryFolder;

double Number(std::uint64_t id) { return static_cast<double>(id); }

TEST(RegionTable, FindsWhatIsOpenAndNothingElse) {
  RegionTable table;
  const double id = Number(table.Add(Mapped(100)));
  EXPECT_TRUE(table.Find(id).ok());
  for (const double wrong : {0.0, -1.0, id + 1, id + 0.5, 1e300, std::nan(""),
                             std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(table.Find(wrong).status().code(), StatusCode::kInvalidArgument) << wrong;
  }
}

TEST(RegionTable, NeverGivesANumberTwice) {
  RegionTable table;
  const std::uint64_t first = table.Add(Mapped(100));
  table.Close(Number(first));
  table.Close(Number(first));
  EXPECT_FALSE(table.Find(Number(first)).ok());
  EXPECT_NE(table.Add(Mapped(100)), first);
}

TEST(RegionTable, KeepsFilesAndMemoryApart) {
  const TemporaryFolder folder;
  RegionTable table;
  const double file = Number(table.Add(NewFile(folder / "file")));
  const double memory = Number(table.Add(Mapped(100)));
  EXPECT_FALSE(table.FindMemory(file).ok());
  EXPECT_FALSE(table.FindFile(memory).ok());
  EXPECT_TRUE(table.FindFile(file).ok());
  EXPECT_TRUE(table.FindMemory(memory).ok());
}

TEST(RegionTable, LetsAClosedRegionLiveForThoseWhoHoldIt) {
  RegionTable table;
  const double id = Number(table.Add(Mapped(4096)));
  const Region held = table.Find(id).value();
  table.Close(id);
  held.memory->Bytes()[4095] = std::byte{1};
  EXPECT_EQ(held.memory->Bytes()[4095], std::byte{1});
}

TEST(RegionTable, ServesManyThreads) {
  RegionTable table;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++) {
    threads.emplace_back([&] {
      for (int round = 0; round < 200; round++) {
        const double id = Number(table.Add(Mapped(4096)));
        EXPECT_TRUE(table.Find(id).ok());
        table.Close(id);
        EXPECT_FALSE(table.Find(id).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(CheckRange, TakesWhatLiesInsideAndNothingElse) {
  RegionTable table;
  const Region region = table.Find(Number(table.Add(Mapped(100)))).value();
  EXPECT_TRUE(CheckRange("range", region, 0, 100).ok());
  EXPECT_TRUE(CheckRange("range", region, 100, 0).ok());
  const double largest = Number(kOffsetMax);
  for (const auto& [offset, length] : std::vector<std::pair<double, double>>{
           {0, 101}, {100, 1}, {-1, 1}, {1, -1}, {0.5, 1}, {largest, largest}, {NAN, 1}}) {
    EXPECT_FALSE(CheckRange("range", region, offset, length).ok()) << offset << " " << length;
  }
}

}  // namespace
}  // namespace kvbm
