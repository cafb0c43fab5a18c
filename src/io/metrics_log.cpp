#include "gen/io/metrics_log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "gen/config/json_text.h"
#include "gen/core/log.h"
#include "gen/io/file.h"
#include "gen/io/finite_json.h"
#include "io/posix.h"

namespace gen {
namespace {

// The lines to keep. A line that is no JSON was torn by a crash.
std::string kept_lines(const std::string& text, int64_t resume_step, int64_t& torn) {
  std::string kept;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    if (end == std::string::npos) {
      ++torn;
      break;
    }
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    Json value;
    Issues mistakes;
    if (!parse_json(line, "", value, mistakes) || !value.is_object()) {
      ++torn;
      continue;
    }
    const auto step = value.find("step");
    if (step != value.end() && step->is_number_integer() && step->get<int64_t>() > resume_step) continue;
    kept.append(line).push_back('\n');
  }
  return kept;
}

}  // namespace

MetricsLog::MetricsLog(std::filesystem::path path, int64_t resume_step) : path_(std::move(path)) {
  if (std::filesystem::exists(path_)) {
    const std::string text = read_file(path_);
    int64_t torn = 0;
    const std::string kept = kept_lines(text, resume_step, torn);
    if (torn > 0) log::warning("{}: {} incomplete line(s) dropped", path_.string(), torn);
    if (kept != text) write_file_atomically(path_, kept);
  }
  descriptor_ = posix::open_to_append(path_);
}

MetricsLog::~MetricsLog() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void MetricsLog::append(const Json& line) {
  const std::string text =
      finite_json(line).dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
  posix::append_whole(descriptor_, path_, text + "\n");
}

}  // namespace gen
