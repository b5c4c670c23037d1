#ifndef KVBM_TESTS_WORLD_H_
#define KVBM_TESTS_WORLD_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kvbm/region_table.h"

namespace kvbm::testing {

/// A folder that ends with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "kvbm-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// Bytes that differ from place to place and from seed to seed.
inline std::vector<std::byte> Pattern(std::size_t size, std::uint32_t seed = 1) {
  std::vector<std::byte> bytes(size);
  std::uint32_t state = seed * 2654435761U + 1;
  for (std::byte& byte : bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<std::byte>(state >> 24);
  }
  return bytes;
}

/// Memory of a vector, for tests that want to see it.
class VectorMemory final : public MemoryOwner {
 public:
  explicit VectorMemory(std::vector<std::byte>& bytes) : bytes_(bytes) {}
  std::span<std::byte> Bytes() const override { return bytes_; }
  bool IsLasting() const override { return false; }

 private:
  std::vector<std::byte>& bytes_;
};

inline std::shared_ptr<Memory> MemoryOver(std::vector<std::byte>& bytes) {
  return std::make_shared<Memory>(std::make_unique<VectorMemory>(bytes));
}

inline std::shared_ptr<Memory> Mapped(std::uint64_t size_bytes) {
  auto owner = MapMemory(size_bytes);
  EXPECT_TRUE(owner.ok());
  return std::make_shared<Memory>(std::move(owner.value()));
}

inline std::shared_ptr<File> NewFile(const std::string& path, bool direct = false) {
  auto file = File::Open({.path = path, .write = true, .create = true, .direct = direct});
  EXPECT_TRUE(file.ok()) << file.status().message();
  return file.value();
}

}  // namespace kvbm::testing

#endif  // KVBM_TESTS_WORLD_H_
