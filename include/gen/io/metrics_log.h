// metrics.jsonl: one JSON object a line, {"step": 100, "split": "train", "loss": 1.5, ...}.
#pragma once

#include <cstdint>
#include <filesystem>

#include "gen/config/json.h"

namespace gen {

class MetricsLog {
 public:
  /// Opens for appending and drops lines with a step beyond `resume_step` and any torn last line, so that a resumed
  /// run's file equals that of an uninterrupted one.
  MetricsLog(std::filesystem::path path, int64_t resume_step);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;
  /// Appends and flushes; non-finite numbers are written as the strings "nan", "inf", "-inf".
  void append(const Json& line);

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace gen
