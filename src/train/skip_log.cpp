#include "train/skip_log.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "gen/config/json_text.h"
#include "gen/core/error.h"
#include "gen/core/log.h"
#include "gen/io/file.h"

namespace gen {

SkipLog::SkipLog(const Session& session) : session_(session) { forget(); }

SkipLog::SkipLog(const Session& session, std::filesystem::path path, int64_t resume_step)
    : session_(session), path_(std::move(path)) {
  rewind(resume_step);
}

void SkipLog::forget() {
  splits_.clear();
  splits_.emplace(Split::train, SkippedExamples(session_.data->bad_examples()));
  if (session_.validation)
    splits_.emplace(Split::validation, SkippedExamples(session_.validation->bad_examples()));
}

void SkipLog::rewind(int64_t step) {
  forget();
  file_.reset();  // closes the file before it is cut
  if (path_.empty() || !std::filesystem::exists(path_)) return;
  file_ = std::make_unique<MetricsLog>(path_, step);
  std::istringstream lines(read_file(path_));
  for (std::string line; std::getline(lines, line);) {
    Json value;
    Issues mistakes;
    if (!parse_json(line, "", value, mistakes) || !value.is_object() || !value.contains("index") ||
        !value["index"].is_number_integer())
      continue;
    const Split split =
        value.value("split", Json()) == to_string(Split::validation) ? Split::validation : Split::train;
    const auto it = splits_.find(split);
    if (it != splits_.end()) it->second.remember({value["index"].get<int64_t>(), value.dump()});
  }
}

void SkipLog::add(int64_t step, Split split, const std::vector<BadExample>& found) {
  if (found.empty()) return;
  SkippedExamples& skipped = splits_.at(split);
  for (const auto& each : found) {
    if (skipped.add({each}).empty()) continue;
    log::warning("step {}: {}; passed over, {} of the {} {} examples that data.max_skipped allows", step,
                 each.what, skipped.count(), skipped.options().max_skipped, to_string(split));
    append(step, split, each);
  }
}

void SkipLog::append(int64_t step, Split split, const BadExample& each) {
  if (path_.empty()) return;
  try {
    if (!file_) file_ = std::make_unique<MetricsLog>(path_, step);
    file_->append({{"step", step}, {"split", to_string(split)}, {"index", each.index}, {"what", each.what}});
  } catch (const IoError& e) {
    log::warning("this example is missing in the list of those passed over: {}", e.what());
  }
}

int64_t SkipLog::count() const {
  int64_t count = 0;
  for (const auto& [split, skipped] : splits_) count += skipped.count();
  return count;
}

bool SkipLog::may_skip() const { return session_.data->bad_examples().on_error == OnError::skip; }

}  // namespace gen
