#ifndef KVBM_COPY_TRANSPOSE_H_
#define KVBM_COPY_TRANSPOSE_H_

#include <cstddef>

#include "kvbm/job.h"

namespace kvbm {

/// Copies a table so that its rows become columns. The two must not overlap.
void TransposeCells(std::byte* target, const std::byte* source, const Transpose& table);

}  // namespace kvbm

#endif  // KVBM_COPY_TRANSPOSE_H_
