// The reader of JSON files that are no configs: any text gives a value, which prints to a text of the same value,
// or a mistake in printable words.
#include <nlohmann/json.hpp>

#include "gen/config/json_text.h"
#include "gen/core/text.h"
#include "gen/io/json_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  gen::Issues issues;
  gen::Json value, again;
  gen::parse_json(std::string(reinterpret_cast<const char*>(data), size), "fuzz", value, issues);
  for (const auto& line : issues.lines())
    if (gen::printable_line(line) != line) std::abort();
  if (!issues.empty()) return 0;
  if (!gen::parse_json(gen::json_text(value), "printed", again, issues) || again != value) std::abort();
  return 0;
}
