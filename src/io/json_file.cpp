// write_json and read_json.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "gen/io/file.h"
#include "gen/io/finite_json.h"
#include "gen/io/run_dir.h"

namespace gen {

namespace {
constexpr uint64_t kLargestJson = uint64_t{256} << 20;
}

void write_json(const std::filesystem::path& path, const Json& value) {
  const std::string text =
      finite_json(value).dump(2, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
  write_file_atomically(path, text + "\n");
}

Json read_json(const std::filesystem::path& path) {
  const std::string text = read_file(path, kLargestJson);
  try {
    return Json::parse(text);
  } catch (const Json::exception& error) {
    throw DataError(fmt::format("{}: not valid JSON {}", path.string(), json_error_text(error.what())));
  }
}

}  // namespace gen
