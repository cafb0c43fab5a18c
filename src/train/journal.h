// The numbers of a run: metrics.jsonl and the TensorBoard events.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gen/io/events.h"
#include "gen/io/metrics_log.h"
#include "gen/io/run_dir.h"
#include "train/validation.h"

namespace gen {

/// metrics.jsonl holds only what a resumed run repeats bit for bit, so timings go to TensorBoard and the log
/// alone. A disk that refuses a line is a warning; the line is kept and tried again with the next one.
class Journal {
 public:
  /// Forgets the lines of later steps than `resume_step`.
  Journal(const RunDir& run, int64_t resume_step);

  struct TrainLine {
    int64_t step = 0;
    double loss = 0;       ///< of this step
    double loss_mean = 0;  ///< since the line before
    std::vector<std::pair<std::string, double>> terms;
    double grad_norm = 0, learning_rate = 0, samples_per_s = 0;
    std::optional<int64_t> skipped_examples;  ///< so far; none where none may be
  };
  void train(const TrainLine& line);
  void validation(int64_t step, const ValidationScores& scores);
  void picture(int64_t step, const Image& image);
  /// To be called at every step: what is held back for long is written.
  void tick();
  /// Forgets the lines of later steps.
  void rewind(int64_t step);
  /// Writes what is still held back. Throws IoError when the disk still refuses.
  void flush();

 private:
  void append(Json line);
  void write_pending();
  std::filesystem::path path_;
  std::unique_ptr<MetricsLog> log_;
  std::unique_ptr<EventWriter> events_;
  std::deque<Json> pending_;
};

}  // namespace gen
