#include <algorithm>
#include <random>

#include "copy/run_index.h"
#include "kvbm/crc32c.h"
#include "kvbm/job.h"
#include "tests/world.h"

namespace kvbm {
namespace {

using testing::MemoryOver;
using testing::NewFile;
using testing::Pattern;
using testing::TemporaryFolder;

constexpr std::size_t kBytes = 200'000;

/// Two memories and a file of the same size, and a job over them.
class FusedSums : public ::testing::Test {
 protected:
  FusedSums() : source_(Pattern(kBytes, 1)), target_(Pattern(kBytes, 2)) {
    from_ = static_cast<double>(table_.Add(MemoryOver(source_)));
    to_ = static_cast<double>(table_.Add(MemoryOver(target_)));
  }

  void AddRun(std::size_t from, std::size_t to, std::size_t length) {
    runs_.insert(runs_.end(), {from_, static_cast<double>(from), to_, static_cast<double>(to),
                               static_cast<double>(length)});
  }

  /// Rows in another order than memory.
  void ShuffleRuns(std::mt19937& random) {
    for (std::size_t at = 0; at < runs_.size(); at += 5) {
      const std::size_t other = 5 * (random() % (runs_.size() / 5));
      for (std::size_t i = 0; i < 5; i++) std::swap(runs_[at + i], runs_[other + i]);
    }
  }

  void AddPiece(std::size_t block, double region, std::size_t offset, std::size_t length) {
    pieces_.insert(pieces_.end(), {static_cast<double>(block), region, static_cast<double>(offset),
                                   static_cast<double>(length)});
  }

  std::unique_ptr<Job> Make(SumWhen when, std::size_t blocks, const ItemSizes& sizes = {}) {
    auto job = Job::Create(
        table_, {.runs = runs_, .pieces = pieces_, .blocks = blocks, .sum_when = when}, sizes);
    EXPECT_TRUE(job.ok()) << job.status().message();
    return std::move(job.value());
  }

  static std::vector<std::uint32_t> RunAndSum(Job& job, std::size_t blocks) {
    EXPECT_TRUE(job.RunAll().ok());
    std::vector<std::uint32_t> sums(blocks, 99);
    job.WriteSums(sums);
    return sums;
  }

  /// What a loop over the pieces finds in the memories as they are.
  std::vector<std::uint32_t> NaiveSums(std::size_t blocks) const {
    std::vector<std::uint32_t> sums(blocks, 99);
    std::vector<bool> begun(blocks);
    for (std::size_t at = 0; at < pieces_.size(); at += 4) {
      const auto block = static_cast<std::size_t>(pieces_[at]);
      const auto& memory = pieces_[at + 1] == from_ ? source_ : target_;
      const auto bytes = std::span(memory).subspan(static_cast<std::size_t>(pieces_[at + 2]),
                                                   static_cast<std::size_t>(pieces_[at + 3]));
      sums[block] = Crc32cByTable(bytes, begun[block] ? sums[block] : 0);
      begun[block] = true;
    }
    return sums;
  }

  std::vector<std::byte> NaiveTarget() const {
    std::vector<std::byte> target = target_;
    for (std::size_t at = 0; at < runs_.size(); at += 5) {
      std::copy_n(source_.begin() + static_cast<std::ptrdiff_t>(runs_[at + 1]),
                  static_cast<std::ptrdiff_t>(runs_[at + 4]),
                  target.begin() + static_cast<std::ptrdiff_t>(runs_[at + 3]));
    }
    return target;
  }

  RegionTable table_;
  std::vector<std::byte> source_;
  std::vector<std::byte> target_;
  double from_ = 0;
  double to_ = 0;
  std::vector<double> runs_;
  std::vector<double> pieces_;
};

TEST_F(FusedSums, NeedNoPhaseOfTheirOwnWhereCopiesCoverThePieces) {
  for (std::size_t i = 0; i < 4; i++) AddRun(i * 10'000, 100'000 + i * 10'000, 10'000);
  // Across runs, within one, and out of order.
  AddPiece(0, to_, 105'000, 20'000);
  AddPiece(1, to_, 130'000, 100);
  AddPiece(0, to_, 100'000, 5000);
  const auto job = Make(SumWhen::kAfter, 2);
  EXPECT_EQ(std::pair(job->ItemCount(0), job->ItemCount(1)), std::pair(1UL, 0UL));
  const auto sums = RunAndSum(*job, 2);
  EXPECT_EQ(sums, NaiveSums(2));
}

TEST_F(FusedSums, TakeALookOfTheirOwnAtBytesThatNoCopyMoves) {
  AddRun(1000, 1000, 1000);
  AddPiece(0, to_, 0, 3000);
  AddPiece(1, from_, 0, 10);
  const auto job = Make(SumWhen::kAfter, 3);
  EXPECT_EQ(std::pair(job->ItemCount(0), job->ItemCount(1)), std::pair(1UL, 1UL));
  const auto sums = RunAndSum(*job, 3);
  EXPECT_EQ(sums, NaiveSums(3));
  EXPECT_EQ(sums[2], 99U);
}

TEST_F(FusedSums, OfNothingAreZero) {
  AddPiece(1, to_, 50, 0);
  const auto job = Make(SumWhen::kAfter, 2);
  EXPECT_EQ(RunAndSum(*job, 2), (std::vector<std::uint32_t>{99, 0}));
}

TEST_F(FusedSums, OfTheSameBytesForSeveralBlocksAreAllRight) {
  AddRun(0, 0, 50'000);
  for (std::size_t block = 0; block < 4; block++) AddPiece(block, to_, block * 10, 40'000);
  AddPiece(4, to_, 0, 50'000);
  const auto job = Make(SumWhen::kAfter, 5);
  const auto sums = RunAndSum(*job, 5);
  EXPECT_EQ(sums, NaiveSums(5));
}

TEST_F(FusedSums, BeforeAMoveWithinItselfAreOfTheBytesThatWereThere) {
  for (const bool whole : {false, true}) {
    source_ = Pattern(kBytes, 1);
    pieces_.clear();
    runs_ = {from_, 0, from_, 100, 150'000};
    AddPiece(0, from_, 0, whole ? 150'000 : 100'000);
    const auto expected = NaiveSums(1);
    const auto job = Make(SumWhen::kBefore, 1);
    EXPECT_EQ(RunAndSum(*job, 1), expected) << whole;
  }
}

TEST_F(FusedSums, AndBytesAreAsAPlainLoopMakesThemForRandomRowsAndPieces) {
  for (std::uint32_t seed = 0; seed < 150; seed++) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const SumWhen when = seed % 2 == 0 ? SumWhen::kBefore : SumWhen::kAfter;
    const std::size_t longest = seed % 3 == 0 ? 300 : 20'000;
    const auto length = [&] { return random() % longest; };
    runs_.clear();
    pieces_.clear();
    target_ = Pattern(kBytes, 2);
    for (std::size_t to = length(), size = length(); to + size <= kBytes && runs_.size() < 500;
         to += size + (random() % 2) * length(), size = length()) {
      AddRun(random() % (kBytes - size), to, size);
    }
    if (seed % 5 == 0) ShuffleRuns(random);
    const double side = when == SumWhen::kBefore ? from_ : to_;
    constexpr std::size_t kBlocks = 20;
    for (std::size_t piece = 0; piece < 60; piece++) {
      const std::size_t size = length();
      const double region = random() % 8 == 0 ? from_ + to_ - side : side;
      if (random() % 3 != 0 && piece * 5 + 4 < runs_.size()) {
        AddPiece(random() % kBlocks, side,
                 static_cast<std::size_t>(runs_[piece * 5 + (side == from_ ? 1 : 3)]),
                 static_cast<std::size_t>(runs_[piece * 5 + 4]));
      } else {
        AddPiece(random() % kBlocks, region, random() % (kBytes - size), size);
      }
    }
    const auto expected_target = NaiveTarget();
    const auto before = NaiveSums(kBlocks);
    const auto job = Make(when, kBlocks,
                          {.memory_row_bytes_max = seed % 4 == 0 ? 1000U : 1U << 20,
                           .memory_item_bytes = 30'000});
    const auto sums = RunAndSum(*job, kBlocks);
    ASSERT_TRUE(target_ == expected_target);
    ASSERT_EQ(sums, when == SumWhen::kBefore ? before : NaiveSums(kBlocks));
  }
}

TEST_F(FusedSums, OfFilesAreTakenWithTheReadAndWithTheWrite) {
  const TemporaryFolder folder;
  const double file = static_cast<double>(table_.Add(NewFile(folder / "file", true)));
  const auto add_pieces = [&](double region) {
    pieces_.clear();
    AddPiece(0, region, 150'000, 40'000);
    AddPiece(1, region, 4096, 100'000);
    AddPiece(0, region, 10, 4000);
  };
  runs_ = {from_, 0, file, 4096, 200'000};
  add_pieces(from_);
  const ItemSizes sizes = {.file_row_bytes_max = 65'536};
  const auto write = Make(SumWhen::kBefore, 2, sizes);
  EXPECT_EQ(write->ItemCount(0), 0UL);
  EXPECT_EQ(RunAndSum(*write, 2), NaiveSums(2));
  runs_ = {file, 4096, to_, 0, 200'000};
  add_pieces(to_);
  const auto read = Make(SumWhen::kAfter, 2, sizes);
  EXPECT_EQ(read->ItemCount(1), 0UL);
  const auto sums = RunAndSum(*read, 2);
  EXPECT_EQ(sums, NaiveSums(2));
  EXPECT_EQ(target_, source_);
}

TEST_F(FusedSums, OfATransposedRunAreOfTheEndThatWasAskedFor) {
  const std::vector<double> runs = {from_, 0, to_, 0, 60};
  for (const SumWhen when : {SumWhen::kBefore, SumWhen::kAfter}) {
    pieces_.clear();
    AddPiece(0, when == SumWhen::kBefore ? from_ : to_, 0, 60);
    auto job = Job::Create(table_, {.runs = runs,
                                    .pieces = pieces_,
                                    .blocks = 1,
                                    .sum_when = when,
                                    .transpose = Transpose{5, 4, 3}});
    ASSERT_TRUE(job.ok());
    const auto sums = RunAndSum(*job.value(), 1);
    EXPECT_EQ(sums, NaiveSums(1));
  }
}

TEST(RunIndex, SaysWhereTheNextRangeBeginsWhenNoneContainsTheByte) {
  std::byte bytes[100];
  RunIndex index;
  index.Add({bytes + 50, 10, 0});
  index.Add({bytes + 20, 10, 1});
  EXPECT_EQ(index.Find(bytes + 59).number, 0U);
  EXPECT_EQ(index.Find(bytes + 20).number, 1U);
  EXPECT_EQ(index.Find(bytes).begin, bytes + 20);
  EXPECT_EQ(index.Find(bytes + 30).begin, bytes + 50);
  EXPECT_EQ(index.Find(bytes + 30).number, RunIndex::kNone);
  EXPECT_EQ(index.Find(bytes + 60).length, 0U);
  EXPECT_EQ(index.Find(bytes + 60).number, RunIndex::kNone);
}

}  // namespace
}  // namespace kvbm
