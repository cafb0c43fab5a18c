#include "gen/io/json_file.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "gen/config/json_text.h"
#include "gen/core/error.h"
#include "gen/io/file.h"
#include "gen/io/finite_json.h"

namespace gen {

std::string json_text(const Json& value) {
  return finite_json(value).dump(2, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n";
}

void write_json(const std::filesystem::path& path, const Json& value) {
  write_file_atomically(path, json_text(value));
}

Json read_json(const std::filesystem::path& path) {
  Json value;
  Issues issues;
  parse_json(read_file(path, kLargestJsonBytes), path.string(), value, issues);
  if (!issues.empty()) throw DataError(issues.lines().front());
  return value;
}

}  // namespace gen
