// RUN/skipped.jsonl: the examples that data.on_error "skip" passed over, one JSON object a line:
// {"step": 100, "split": "train", "index": 7, "what": "..."}.
#pragma once

#include <filesystem>
#include <map>
#include <memory>

#include "gen/data/dataset.h"
#include "gen/io/metrics_log.h"
#include "train/session.h"

namespace gen {

class SkipLog {
 public:
  /// Without a file, for a run that leaves none.
  explicit SkipLog(const Session& session);
  /// Takes up the file as it was at `resume_step`; there is none before the first example is passed over.
  SkipLog(const Session& session, std::filesystem::path path, int64_t resume_step);
  /// Those passed over on the way to `step`. Throws ExampleError where a split's data.max_skipped is spent.
  void add(int64_t step, Split split, const std::vector<BadExample>& found);
  /// Forgets what came after `step`.
  void rewind(int64_t step);
  /// Of both splits.
  int64_t count() const;
  /// Whether the training data may be passed over at all.
  bool may_skip() const;

 private:
  void forget();
  void append(int64_t step, Split split, const BadExample& each);
  const Session& session_;
  std::filesystem::path path_;
  std::unique_ptr<MetricsLog> file_;
  std::map<Split, SkippedExamples> splits_;
};

}  // namespace gen
