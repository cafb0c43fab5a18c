// The state of a training at a glance: a bar that redraws itself on a terminal, a line every few seconds
// elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "gen/core/terminal.h"

namespace gen {

struct StatusNumbers {
  int64_t step = 0;
  double loss = 0, grad_norm = 0, learning_rate = 0;
};

class StatusLine {
 public:
  StatusLine(int64_t first_step, int64_t total_steps, int64_t samples_per_step);
  /// Cheap when nothing is due: one look at the clock.
  void update(const StatusNumbers& numbers);
  /// Erases the bar, so that a log line can take its place.
  void clear() { line_.clear(); }
  /// Training samples a second since the start of this process, without the time in pause().
  double samples_per_s() const;
  double elapsed_s() const;
  /// Time from now on is not training, until resume().
  void pause();
  void resume();

 private:
  using Clock = std::chrono::steady_clock;
  std::string text(const StatusNumbers& numbers) const;
  int64_t first_step_, total_steps_, samples_per_step_, step_;
  bool terminal_;
  TerminalLine line_;
  Clock::time_point start_, next_, paused_at_;
  Clock::duration paused_{};
};

}  // namespace gen
