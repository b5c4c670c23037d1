#ifndef KVBM_COPY_STREAMS_H_
#define KVBM_COPY_STREAMS_H_

#include <cstddef>
#include <cstdint>

/// Loops over bytes, written for one kind of CPU each. Their files are compiled for newer CPUs than
/// the others, so they take plain pointers and share no inline functions with them.
namespace kvbm::streams {

/// One CPU keeps the memory busier with four streams than with one; eight are slower again.
inline constexpr std::size_t kStreams = 4;
inline constexpr std::size_t kLineBytes = 64;

/// Four streams of cache lines, taken side by side, a line of each at a time.
struct Streams {
  const unsigned char* source[kStreams];
  /// At multiples of a line.
  unsigned char* target[kStreams];
  /// What will be read after these: fetched meanwhile. Any address does no harm.
  const unsigned char* ahead[kStreams];
  /// Inverted CRC32C before and after.
  std::uint32_t crc[kStreams];
};

/// Does `lines` lines of each stream. Its stores may pass by the cache: they are seen by others
/// after `sfence`.
using Kernel = void (*)(Streams& streams, std::size_t lines);

void CopyByAvx2(Streams& streams, std::size_t lines);
void CopyAheadByAvx2(Streams& streams, std::size_t lines);

void SumByVpclmulqdq(Streams& streams, std::size_t lines);
void CopySumByVpclmulqdq(Streams& streams, std::size_t lines);
void CopySumAheadByVpclmulqdq(Streams& streams, std::size_t lines);

void SumByPclmulqdq(Streams& streams, std::size_t lines);
void CopySumByPclmulqdq(Streams& streams, std::size_t lines);
void CopySumAheadByPclmulqdq(Streams& streams, std::size_t lines);
/// Product of two polynomials modulo CRC32C's, bit 31 being x⁰.
std::uint32_t MultiplyByPclmulqdq(std::uint32_t a, std::uint32_t b);

void SumBySse42(Streams& streams, std::size_t lines);
void CopySumBySse42(Streams& streams, std::size_t lines);
void CopySumAheadBySse42(Streams& streams, std::size_t lines);

}  // namespace kvbm::streams

#endif  // KVBM_COPY_STREAMS_H_
