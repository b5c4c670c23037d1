// How fast this machine can copy. Reads a line per question, `WAY BYTES BLOCKS THREADS PAGES`, for
// example `split 1048576 256 2 huge`, and answers with the bytes a second of copying as many blocks
// of so many bytes once, to scattered places; or with `?` and the reason. Pages: huge, small.
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "copy_ways.h"
#include "crew.h"
#include "pages.h"

namespace kvbm::bench {
namespace {

struct Question {
  std::string way;
  std::size_t bytes = 0;
  std::size_t blocks = 0;
  std::size_t threads = 0;
  std::string pages;
};

/// Blocks in two memories, each to be copied once, in the same scattered order each time.
class Blocks {
 public:
  Blocks(std::size_t bytes, std::size_t count, bool huge)
      : source_(bytes * count, huge), target_(bytes * count, huge) {
    std::vector<std::size_t> from(count);
    std::iota(from.begin(), from.end(), std::size_t{0});
    std::vector<std::size_t> to = from;
    std::mt19937 random(7);
    std::ranges::shuffle(from, random);
    std::ranges::shuffle(to, random);
    for (std::size_t i = 0; i < count; i++) {
      blocks_.push_back({target_.bytes() + to[i] * bytes, source_.bytes() + from[i] * bytes});
    }
  }

  /// The share of one of so many threads.
  std::span<const Block> Share(std::size_t index, std::size_t threads) const {
    const std::size_t begin = blocks_.size() * index / threads;
    const std::size_t end = blocks_.size() * (index + 1) / threads;
    return std::span(blocks_).subspan(begin, end - begin);
  }

 private:
  const Pages source_;
  const Pages target_;
  std::vector<Block> blocks_;
};

class Limits {
 public:
  /// Bytes a second; 0 for a question that makes no sense.
  double Answer(const Question& question) {
    const CopyWay way = FindCopyWay(question.way);
    const bool valid = way != nullptr && question.bytes > 0 && question.bytes % 1024 == 0 &&
                       question.blocks > 0 && question.threads > 0 && question.threads <= 1024;
    if (!valid) return 0;
    const Blocks& blocks = BlocksOf(question);
    Crew& crew = CrewOf(question.threads);
    const double seconds = crew.Time([&](std::size_t index) {
      way(blocks.Share(index, question.threads), question.bytes);
    });
    return static_cast<double>(question.bytes * question.blocks) / seconds;
  }

 private:
  Crew& CrewOf(std::size_t threads) {
    std::unique_ptr<Crew>& crew = crews_[threads];
    if (crew == nullptr) crew = std::make_unique<Crew>(threads);
    return *crew;
  }

  const Blocks& BlocksOf(const Question& question) {
    const bool huge = question.pages == "huge";
    std::unique_ptr<Blocks>& blocks = blocks_[{question.bytes, question.blocks, huge}];
    if (blocks == nullptr) blocks = std::make_unique<Blocks>(question.bytes, question.blocks, huge);
    return *blocks;
  }

  std::map<std::size_t, std::unique_ptr<Crew>> crews_;
  std::map<std::tuple<std::size_t, std::size_t, bool>, std::unique_ptr<Blocks>> blocks_;
};

void AnswerAll() {
  Limits limits;
  for (std::string line; std::getline(std::cin, line);) {
    Question question;
    std::istringstream(line) >> question.way >> question.bytes >> question.blocks >>
        question.threads >> question.pages;
    const double rate = limits.Answer(question);
    if (rate > 0) {
      std::cout << rate << std::endl;
    } else {
      std::cout << "? " << line << ": no such way here, or a wrong number" << std::endl;
    }
  }
}

}  // namespace
}  // namespace kvbm::bench

int main() { kvbm::bench::AnswerAll(); }
