#include "copy/copy_runs.h"

#include <algorithm>
#include <random>

#include "kvbm/crc32c.h"
#include "tests/world.h"

namespace kvbm {
namespace {

using testing::Pattern;

/// A run by offsets.
struct Move {
  std::size_t from;
  std::size_t to;
  std::size_t length;
  bool summed;
};

/// Runs the moves by those kernels and compares bytes and sums with a loop over bytes.
void ExpectMoved(const Kernels& kernels, const std::vector<Move>& moves, std::size_t size) {
  auto source = Pattern(size);
  std::vector<std::byte> target(size);
  std::vector<std::byte> expected(size);
  std::vector<std::uint32_t> sums(moves.size(), 99);
  std::vector<CopyRun> runs;
  for (std::size_t i = 0; i < moves.size(); i++) {
    const auto& [from, to, length, summed] = moves[i];
    std::copy_n(source.data() + from, length, expected.data() + to);
    runs.push_back({target.data() + to, source.data() + from, length, summed ? &sums[i] : nullptr});
  }
  CopyRuns(runs, kernels);
  ASSERT_TRUE(target == expected) << kernels.kind;
  for (std::size_t i = 0; i < moves.size(); i++) {
    const auto bytes = std::span(source).subspan(moves[i].from, moves[i].length);
    const std::uint32_t sum = moves[i].summed ? Crc32cByTable(bytes) : 99;
    ASSERT_EQ(sums[i], sum) << kernels.kind << ", run " << i << ", " << bytes.size() << " bytes";
  }
}

/// Targets one after another with gaps, sources anywhere.
std::vector<Move> RandomMoves(std::mt19937& random, std::size_t size, std::size_t longest) {
  std::vector<Move> moves;
  for (std::size_t to = random() % 70;;) {
    const std::size_t length = random() % (random() % 4 == 0 ? longest : 8192);
    if (to + length > size) return moves;
    moves.push_back({random() % (size - length), to, length, random() % 2 == 0});
    to += length + (random() % 3 == 0 ? random() % 100 : 0);
  }
}

TEST(CopyRuns, CopiesAndSumsOneRunOfEveryLengthBetweenAnyTwoAlignments) {
  for (const Kernels& kernels : SupportedKernels()) {
    for (const bool summed : {false, true}) {
      for (std::size_t length = 0; length < 2600; length += length < 70 ? 1 : 61) {
        for (const std::size_t to : {0, 1, 63}) {
          ExpectMoved(kernels, {{to * 7 % 64, to, length, summed}}, 3000);
        }
      }
    }
  }
}

TEST(CopyRuns, CopiesAndSumsLongRunsByQuarters) {
  for (const Kernels& kernels : SupportedKernels()) {
    for (const std::size_t length : {262'143, 262'144, 262'145, 300'001, 1'048'576}) {
      ExpectMoved(kernels, {{3, 17, length, false}}, 1'050'000);
      ExpectMoved(kernels, {{3, 17, length, true}}, 1'050'000);
    }
  }
}

TEST(CopyRuns, CopiesAndSumsFewerRunsThanStreams) {
  for (const Kernels& kernels : SupportedKernels()) {
    std::vector<Move> moves;
    for (std::size_t i = 0; i < 7; i++) {
      ExpectMoved(kernels, moves, 40'000);
      moves.push_back({i * 5000, i * 4096, 4096, i % 2 == 0});
    }
  }
}

TEST(CopyRuns, CopiesAndSumsRunsOfMixedLengths) {
  for (const Kernels& kernels : SupportedKernels()) {
    for (std::uint32_t seed = 0; seed < 12; seed++) {
      SCOPED_TRACE(seed);
      std::mt19937 random(seed);
      ExpectMoved(kernels, RandomMoves(random, 900'000, 400'000), 900'000);
    }
  }
}

TEST(CopyRuns, MoveOverlappingRunsAsIfThroughABufferAndSumWhatWasMoved) {
  constexpr std::size_t kLength = 300'000;
  for (const Kernels& kernels : SupportedKernels()) {
    for (const std::size_t shift : {0, 1, 64, 4096, 299'999}) {
      for (const bool forth : {false, true}) {
        const auto before = Pattern(2 * kLength);
        auto bytes = before;
        std::byte* const low = bytes.data();
        std::byte* const high = low + shift;
        std::uint32_t sum = 0;
        const CopyRun run = {forth ? high : low, forth ? low : high, kLength, &sum};
        CopyRuns({&run, 1}, kernels);
        const auto moved = std::span(before).subspan(forth ? 0 : shift, kLength);
        ASSERT_TRUE(std::equal(moved.begin(), moved.end(), run.target)) << kernels.kind << shift;
        ASSERT_EQ(sum, Crc32cByTable(moved)) << kernels.kind << shift;
      }
    }
  }
}

TEST(CopyRuns, LeaveTheBytesAroundTheirTargetsAlone) {
  for (const Kernels& kernels : SupportedKernels()) {
    auto source = Pattern(5000);
    std::vector<std::byte> target(5200, std::byte{0x77});
    const CopyRun run = {target.data() + 100, source.data(), 5000};
    CopyRuns({&run, 1}, kernels);
    EXPECT_EQ(std::count(target.begin(), target.begin() + 100, std::byte{0x77}), 100);
    EXPECT_EQ(std::count(target.end() - 100, target.end(), std::byte{0x77}), 100);
  }
}

}  // namespace
}  // namespace kvbm
