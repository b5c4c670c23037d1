#ifndef KVBM_TEXT_H_
#define KVBM_TEXT_H_

#include <sstream>
#include <string>

namespace kvbm {

/// The parts, one after another, as text.
template <typename... Parts>
std::string Text(const Parts&... parts) {
  std::ostringstream out;
  out.precision(17);
  (out << ... << parts);
  return out.str();
}

}  // namespace kvbm

#endif  // KVBM_TEXT_H_
