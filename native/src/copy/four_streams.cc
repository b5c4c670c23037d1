#include "copy/four_streams.h"

#include "hash/crc32c_join.h"

namespace kvbm {

using streams::kLineBytes;
using streams::kStreams;

FourStreams::FourStreams(const std::byte* source, std::byte* target, std::size_t bytes)
    : lines_(bytes / (kStreams * kLineBytes)) {
  for (std::size_t k = 0; k < kStreams; k++) {
    const std::size_t begin = k * lines_ * kLineBytes;
    streams_.source[k] = reinterpret_cast<const unsigned char*>(source) + begin;
    if (target != nullptr) streams_.target[k] = reinterpret_cast<unsigned char*>(target) + begin;
  }
}

std::uint32_t FourStreams::Sum(const Kernels& kernels, streams::Kernel kernel, std::uint32_t crc) {
  streams_.crc[0] = crc;
  kernel(streams_, lines_);
  crc32c::Joiner joiner(kernels);
  std::uint32_t whole = streams_.crc[0];
  for (std::size_t k = 1; k < kStreams; k++) {
    whole = joiner.Join(whole, streams_.crc[k], lines_ * kLineBytes);
  }
  return whole;
}

}  // namespace kvbm
