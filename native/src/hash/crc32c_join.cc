#include "hash/crc32c_join.h"

#include <array>

#include "hash/crc32c_shift.h"

namespace kvbm::crc32c {
namespace {

/// Entry k: x to the power of 8 × 2^k.
constexpr std::array<std::uint32_t, 64> kPowers = [] {
  std::array<std::uint32_t, 64> powers = {};
  std::uint32_t power = PowerOfBytes(1);
  for (std::uint32_t& entry : powers) {
    entry = power;
    power = Multiply(power, power);
  }
  return powers;
}();

std::uint32_t PowerOf(const Kernels& kernels, std::size_t bytes) {
  std::uint32_t power = PowerOfBytes(0);
  for (std::size_t k = 0; bytes != 0; bytes >>= 1, k++) {
    if ((bytes & 1) != 0) power = kernels.multiply(power, kPowers[k]);
  }
  return power;
}

}  // namespace

std::uint32_t Joiner::Join(std::uint32_t first, std::uint32_t second, std::size_t second_bytes) {
  if (second_bytes != bytes_) {
    bytes_ = second_bytes;
    power_ = PowerOf(kernels_, second_bytes);
  }
  return kernels_.multiply(first, power_) ^ second;
}

}  // namespace kvbm::crc32c
