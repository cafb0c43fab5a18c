#include <algorithm>

#include "gen/config/json.h"
#include "gen/core/text.h"

namespace gen {

std::string json_error_text(std::string what) {
  constexpr size_t kMost = 400;
  if (const auto at = what.find("at line "); at != std::string::npos) what = what.substr(at);
  std::replace_if(what.begin(), what.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return std::string(first_letters(what, kMost));
}

std::string json_pointer_key(const std::string& key) {
  std::string out;
  for (char c : key) c == '~' ? out += "~0" : c == '/' ? out += "~1" : out += c;
  return out;
}

}  // namespace gen
