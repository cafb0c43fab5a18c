#include <algorithm>

#include "gen/config/json.h"

namespace gen {

std::string json_error_text(std::string what) {
  constexpr size_t kMost = 400;
  if (const auto at = what.find("at line "); at != std::string::npos) what = what.substr(at);
  std::replace_if(what.begin(), what.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return what.substr(0, kMost);
}

}  // namespace gen
