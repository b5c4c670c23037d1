#include "kvbm/crc32c.h"

#include "copy/four_streams.h"
#include "hash/crc32c_by.h"
#include "hash/crc32c_table.h"

namespace kvbm {
namespace crc32c {

std::uint32_t By(const Kernels& kernels, std::span<const std::byte> bytes, std::uint32_t seed) {
  std::uint32_t crc = ~seed;
  if (kernels.sum != nullptr && bytes.size() >= kFourStreamsBytesMin) {
    FourStreams four(bytes.data(), nullptr, bytes.size());
    crc = four.Sum(kernels, kernels.sum, crc);
    bytes = bytes.subspan(four.bytes());
  }
  return ~kernels.update(crc, bytes.data(), bytes.size());
}

}  // namespace crc32c

std::uint32_t Crc32c(std::span<const std::byte> bytes, std::uint32_t seed) {
  return crc32c::By(BestKernels(), bytes, seed);
}

std::uint32_t Crc32cByTable(std::span<const std::byte> bytes, std::uint32_t seed) {
  return ~crc32c::UpdateByTable(~seed, bytes.data(), bytes.size());
}

const char* Crc32cKind() { return BestKernels().kind; }

}  // namespace kvbm
