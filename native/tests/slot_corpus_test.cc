// Replays the corpus of the fuzzer, also where there is no fuzzer.
#include <fstream>
#include <iterator>

#include "fuzz/slot_table_input.h"
#include "tests/world.h"

namespace kvbm {
namespace {

TEST(SlotCorpus, BreaksNoPromise) {
  std::size_t inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(KVBM_SLOT_CORPUS)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    fuzz::CheckSlotTable(std::as_bytes(std::span(bytes)));
    inputs++;
  }
  EXPECT_GE(inputs, 8U);
}

}  // namespace
}  // namespace kvbm
