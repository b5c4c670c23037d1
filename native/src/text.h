#ifndef KVBM_TEXT_H_
#define KVBM_TEXT_H_

#include <cmath>
#include <sstream>
#include <string>

namespace kvbm {

template <typename Part>
void Append(std::ostringstream& out, const Part& part) {
  out << part;
}

/// As JavaScript spells it: such a number came from there.
inline void Append(std::ostringstream& out, double number) {
  if (std::isfinite(number)) {
    out << number;
  } else if (std::isnan(number)) {
    out << "NaN";
  } else {
    out << (number > 0 ? "Infinity" : "-Infinity");
  }
}

/// The parts, one after another, as text.
template <typename... Parts>
std::string Text(const Parts&... parts) {
  std::ostringstream out;
  out.precision(17);
  (Append(out, parts), ...);
  return out.str();
}

}  // namespace kvbm

#endif  // KVBM_TEXT_H_
