#ifndef KVBM_COPY_FOUR_STREAMS_H_
#define KVBM_COPY_FOUR_STREAMS_H_

#include <cstddef>
#include <cstdint>

#include "copy/kernels.h"

namespace kvbm {

/// Below this, starting four streams and joining them costs more than they gain.
inline constexpr std::size_t kFourStreamsBytesMin = 1024;

/// One range as four streams of equal length: a quarter each, and a rest shorter than four lines.
class FourStreams {
 public:
  /// `target` is null for a range that is only summed, else at a multiple of a line.
  FourStreams(const std::byte* source, std::byte* target, std::size_t bytes);

  /// What the streams cover, from the start of the range.
  std::size_t bytes() const { return streams::kStreams * lines_ * streams::kLineBytes; }

  void Copy(const Kernels& kernels) { kernels.copy(streams_, lines_); }
  /// `crc` inverted, before and after.
  std::uint32_t Sum(const Kernels& kernels, streams::Kernel kernel, std::uint32_t crc);

 private:
  streams::Streams streams_ = {};
  std::size_t lines_ = 0;
};

}  // namespace kvbm

#endif  // KVBM_COPY_FOUR_STREAMS_H_
