#include "kvbm/job.h"

#include <algorithm>
#include <cmath>

#include "kvbm/crc32c.h"
#include "tests/world.h"

namespace kvbm {
namespace {

using testing::Mapped;
using testing::MemoryOver;
using testing::NewFile;
using testing::Pattern;
using testing::TemporaryFolder;

void ExpectSays(const std::string& message, const std::string& part) {
  EXPECT_NE(message.find(part), std::string::npos) << "'" << message << "' lacks: " << part;
}

class JobTest : public ::testing::Test {
 protected:
  double Add(std::shared_ptr<Memory> memory) {
    return static_cast<double>(table_.Add(std::move(memory)));
  }
  double Add(std::shared_ptr<File> file) { return static_cast<double>(table_.Add(file)); }

  Result<std::unique_ptr<Job>> Make(const std::vector<double>& runs,
                                    const std::vector<double>& pieces = {}, std::size_t blocks = 0,
                                    SumWhen when = SumWhen::kAfter) {
    return Job::Create(table_,
                       {.runs = runs, .pieces = pieces, .blocks = blocks, .sum_when = when});
  }

  void Run(const std::vector<double>& runs) {
    auto job = Make(runs);
    ASSERT_TRUE(job.ok()) << job.status().message();
    ASSERT_TRUE(job.value()->RunAll().ok());
  }

  StatusCode CodeOf(const std::vector<double>& runs, const std::vector<double>& pieces = {},
                    std::size_t blocks = 0) {
    return Make(runs, pieces, blocks).status().code();
  }

  RegionTable table_;
};

TEST_F(JobTest, CopiesItsRows) {
  auto source = Pattern(300'000);
  std::vector<std::byte> target(300'000);
  const double from = Add(MemoryOver(source));
  const double to = Add(MemoryOver(target));
  Run({from, 0, to, 150'000, 150'000, from, 150'000, to, 0, 150'000});
  EXPECT_TRUE(std::equal(source.begin(), source.begin() + 150'000, target.begin() + 150'000));
  EXPECT_TRUE(std::equal(source.begin() + 150'000, source.end(), target.begin()));
}

TEST_F(JobTest, MovesALongOverlappingRowAsIfThroughABuffer) {
  for (const double shift : {1.0, 4096.0, 1'500'000.0}) {
    const auto before = Pattern(5'000'000);
    auto forth = before;
    auto back = before;
    const double forth_id = Add(MemoryOver(forth));
    const double back_id = Add(MemoryOver(back));
    const double length = 5'000'000 - shift;
    Run({forth_id, 0, forth_id, shift, length});
    Run({back_id, shift, back_id, 0, length});
    const auto offset = static_cast<std::ptrdiff_t>(shift);
    EXPECT_TRUE(std::equal(forth.begin() + offset, forth.end(), before.begin()));
    EXPECT_TRUE(std::equal(back.begin(), back.end() - offset, before.begin() + offset));
  }
}

TEST_F(JobTest, MovesBetweenTwoRegionsOverTheSameBytes) {
  const auto before = Pattern(3'000'000);
  auto bytes = before;
  const double one = Add(MemoryOver(bytes));
  const double other = Add(MemoryOver(bytes));
  Run({one, 0, other, 10, 2'999'990});
  EXPECT_TRUE(std::equal(bytes.begin() + 10, bytes.end(), before.begin()));
}

TEST_F(JobTest, CopiesBeyond4GiB) {
  const double memory = Add(Mapped(std::uint64_t{9} << 30));
  const auto bytes = table_.Find(memory).value().memory->Bytes();
  const auto pattern = Pattern(10'000);
  const std::uint64_t far = (std::uint64_t{8} << 30) + 3;
  std::ranges::copy(pattern, bytes.begin());
  Run({memory, 0, memory, static_cast<double>(far), 10'000});
  EXPECT_TRUE(std::ranges::equal(bytes.subspan(far, 10'000), pattern));
}

TEST_F(JobTest, WritesToAFileAndReadsBack) {
  const TemporaryFolder folder;
  auto source = Pattern(3'000'000);
  std::vector<std::byte> target(source.size());
  const double from = Add(MemoryOver(source));
  const double to = Add(MemoryOver(target));
  const double file = Add(NewFile(folder / "file", true));
  Run({from, 0, file, 4096, 3'000'000});
  Run({file, 4096, to, 0, 3'000'000});
  EXPECT_EQ(target, source);
}

TEST_F(JobTest, ReadingPastTheEndOfAFileFails) {
  const TemporaryFolder folder;
  const auto file = NewFile(folder / "file");
  ASSERT_TRUE(file->Write(Pattern(10), 0).ok());
  auto job = Make({Add(file), 0, Add(Mapped(100)), 0, 11});
  EXPECT_EQ(job.value()->RunAll().code(), StatusCode::kStorageIo);
}

TEST_F(JobTest, SumsBlocksOverTheirPiecesInOrderAndLeavesOthersAlone) {
  auto bytes = Pattern(1000);
  const double id = Add(MemoryOver(bytes));
  auto job = Make({}, {2, id, 0, 100, 0, id, 100, 50, 2, id, 500, 100}, 4, SumWhen::kBefore);
  ASSERT_TRUE(job.value()->RunAll().ok());
  std::vector<std::uint32_t> sums(4, 99);
  job.value()->WriteSums(sums);
  const std::span all(bytes);
  EXPECT_EQ(sums[0], Crc32c(all.subspan(100, 50)));
  EXPECT_EQ(sums[1], 99U);
  EXPECT_EQ(sums[2], Crc32c(all.subspan(500, 100), Crc32c(all.first(100))));
  EXPECT_EQ(sums[3], 99U);
}

TEST_F(JobTest, SumsWhatIsThereBeforeOrAfterTheCopy) {
  for (const SumWhen when : {SumWhen::kBefore, SumWhen::kAfter}) {
    auto source = Pattern(1000, 1);
    auto target = Pattern(1000, 2);
    const auto expected = Crc32c(when == SumWhen::kBefore ? target : source);
    const double from = Add(MemoryOver(source));
    const double to = Add(MemoryOver(target));
    auto job = Make({from, 0, to, 0, 1000}, {0, to, 0, 1000}, 1, when);
    ASSERT_TRUE(job.value()->RunAll().ok());
    std::uint32_t sum = 0;
    job.value()->WriteSums({&sum, 1});
    EXPECT_EQ(sum, expected);
  }
}

TEST_F(JobTest, IsRefusedWholeWhenOneRowIsWrong) {
  const TemporaryFolder folder;
  auto source = Pattern(100);
  std::vector<std::byte> target(100);
  const double from = Add(MemoryOver(source));
  const double to = Add(MemoryOver(target));
  const double file = Add(NewFile(folder / "file"));
  const auto wrong = StatusCode::kInvalidArgument;
  EXPECT_EQ(CodeOf({from, 0, to, 0}), wrong);
  EXPECT_EQ(CodeOf({from, 0, to, 0, 100, from, 1, to, 0, 100}), wrong);
  EXPECT_EQ(CodeOf({from, 0, to, 1, 100}), wrong);
  EXPECT_EQ(CodeOf({from, -1, to, 0, 1}), wrong);
  EXPECT_EQ(CodeOf({from, 0, to, 0, 0.5}), wrong);
  EXPECT_EQ(CodeOf({from, 0, to, 0, NAN}), wrong);
  EXPECT_EQ(CodeOf({from, 0, 99, 0, 1}), wrong);
  EXPECT_EQ(CodeOf({file, 0, file, 0, 1}), wrong);
  EXPECT_EQ(CodeOf({}, {0, from, 0, 1}, 0), wrong);
  EXPECT_EQ(CodeOf({}, {0.5, from, 0, 1}, 1), wrong);
  EXPECT_EQ(CodeOf({}, {0, file, 0, 1}, 1), wrong);
  EXPECT_EQ(CodeOf({}, {0, from, 0, 101}, 1), wrong);
  EXPECT_EQ(CodeOf({}, {0, from, 0}, 1), wrong);
  EXPECT_EQ(target, std::vector<std::byte>(100));
}

TEST_F(JobTest, TransposesEveryRunCellByCell) {
  for (const auto& [rows, columns, cell] :
       {Transpose{16, 8, 256}, Transpose{3, 5, 7}, Transpose{1, 9, 2}, Transpose{33, 1, 4},
        Transpose{20, 3, 1}, Transpose{19, 6, 64}, Transpose{512, 3, 1024}}) {
    const std::size_t length = rows * columns * cell;
    auto source = Pattern(2 * length);
    std::vector<std::byte> target(2 * length);
    std::vector<std::byte> expected(2 * length);
    for (std::size_t run = 0; run < 2; run++) {
      for (std::size_t row = 0; row < rows; row++) {
        for (std::size_t column = 0; column < columns; column++) {
          std::copy_n(source.data() + run * length + (row * columns + column) * cell, cell,
                      expected.data() + (1 - run) * length + (column * rows + row) * cell);
        }
      }
    }
    const double from = Add(MemoryOver(source));
    const double to = Add(MemoryOver(target));
    const auto size = static_cast<double>(length);
    auto job = Job::Create(table_, {.runs = std::vector{from, 0., to, size, size,  //
                                                        from, size, to, 0., size},
                                    .pieces = {},
                                    .transpose = Transpose{rows, columns, cell}});
    ASSERT_TRUE(job.ok()) << job.status().message();
    ASSERT_TRUE(job.value()->RunAll().ok());
    EXPECT_EQ(target, expected) << rows << " x " << columns << " x " << cell;
  }
}

TEST_F(JobTest, RefusesToTransposeWhatIsNoTableTheDiskOrOntoItself) {
  const TemporaryFolder folder;
  const double memory = Add(Mapped(1000));
  const double file = Add(NewFile(folder / "file"));
  const auto refusal = [&](const std::vector<double>& runs, const Transpose& transpose) {
    const JobRows rows = {.runs = runs, .pieces = {}, .transpose = transpose};
    return Job::Create(table_, rows).status().message();
  };
  ExpectSays(refusal({memory, 0, memory, 500, 30}, {4, 8, 1}), "expected 32 bytes");
  ExpectSays(refusal({memory, 0, memory, 31, 32}, {4, 8, 1}), "overlap");
  ExpectSays(refusal({memory, 0, file, 0, 32}, {4, 8, 1}), "is a file");
  ExpectSays(refusal({memory, 0, memory, 500, 0}, {4, 0, 1}), "transpose.columns: expected 1 to");
  ExpectSays(refusal({}, {std::size_t{1} << 40, std::size_t{1} << 40, 1}),
             "transpose.columns: expected 1 to");
  EXPECT_EQ(refusal({memory, 0, memory, 32, 32}, {4, 8, 1}), "");
}

TEST_F(JobTest, UsesTheDiskInThePhaseThatCopiesToOrFromAFile) {
  const TemporaryFolder folder;
  const double memory = Add(Mapped(1000));
  const double file = Add(NewFile(folder / "file"));
  const std::vector<double> pieces = {0, memory, 0, 10};
  const auto before = Make({memory, 0, file, 0, 10}, pieces, 1, SumWhen::kBefore);
  EXPECT_EQ(std::pair(before.value()->UsesDisk(0), before.value()->UsesDisk(1)),
            std::pair(false, true));
  const auto after = Make({file, 0, memory, 0, 10}, pieces, 1, SumWhen::kAfter);
  EXPECT_EQ(std::pair(after.value()->UsesDisk(0), after.value()->UsesDisk(1)),
            std::pair(true, false));
  const auto without = Make({memory, 0, memory, 100, 10}, pieces, 1, SumWhen::kAfter);
  EXPECT_FALSE(without.value()->UsesDisk(0) || without.value()->UsesDisk(1));
}

TEST_F(JobTest, IsSmallUpTo64KiBOfMemoryAndNeverWithAFile) {
  const TemporaryFolder folder;
  const double memory = Add(Mapped(1 << 20));
  const double file = Add(NewFile(folder / "file"));
  EXPECT_TRUE(Make({memory, 0, memory, 100'000, 65'536}).value()->small());
  EXPECT_FALSE(Make({memory, 0, memory, 100'000, 65'537}).value()->small());
  EXPECT_FALSE(Make({memory, 0, memory, 100'000, 65'536}, {0, memory, 0, 1}, 1).value()->small());
  EXPECT_FALSE(Make({memory, 0, file, 0, 1}).value()->small());
}

}  // namespace
}  // namespace kvbm
