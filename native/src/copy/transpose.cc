#include "copy/transpose.h"

#include <algorithm>
#include <cstring>

namespace kvbm {
namespace {

/// So many rows at a time: the cache lines fetched for one column still hold the next one.
constexpr std::size_t kTileRows = 16;

/// Cells of a size known to the compiler need no call each.
template <std::size_t Bytes>
void CopyCell(std::byte* target, const std::byte* source, std::size_t) {
  std::memcpy(target, source, Bytes);
}

void CopyAnyCell(std::byte* target, const std::byte* source, std::size_t bytes) {
  std::memcpy(target, source, bytes);
}

template <auto Copy>
void Cells(std::byte* target, const std::byte* source, const Transpose& table) {
  const auto [rows, columns, cell] = table;
  for (std::size_t first = 0; first < rows; first += kTileRows) {
    const std::size_t last = std::min(rows, first + kTileRows);
    for (std::size_t column = 0; column < columns; column++) {
      for (std::size_t row = first; row < last; row++) {
        Copy(target + (column * rows + row) * cell, source + (row * columns + column) * cell, cell);
      }
    }
  }
}

}  // namespace

void TransposeCells(std::byte* target, const std::byte* source, const Transpose& table) {
  switch (table.cell_bytes) {
    case 1: return Cells<CopyCell<1>>(target, source, table);
    case 2: return Cells<CopyCell<2>>(target, source, table);
    case 4: return Cells<CopyCell<4>>(target, source, table);
    case 8: return Cells<CopyCell<8>>(target, source, table);
    case 16: return Cells<CopyCell<16>>(target, source, table);
    case 32: return Cells<CopyCell<32>>(target, source, table);
    case 64: return Cells<CopyCell<64>>(target, source, table);
    case 128: return Cells<CopyCell<128>>(target, source, table);
    case 256: return Cells<CopyCell<256>>(target, source, table);
    default: return Cells<CopyAnyCell>(target, source, table);
  }
}

}  // namespace kvbm
