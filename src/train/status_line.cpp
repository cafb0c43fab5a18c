#include "train/status_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "gen/core/log.h"
#include "gen/core/units.h"

namespace gen {
namespace {

using namespace std::chrono_literals;
constexpr int kWidestBar = 20, kNarrowestBar = 5;

/// A bar in front of `text` where the terminal has room for one.
std::string with_bar(const std::string& text, int64_t step, int64_t total_steps) {
  constexpr int kFrame = 4;  // "[] " and the last column
  const int width =
      std::min(kWidestBar, terminal_columns(STDERR_FILENO) - static_cast<int>(text.size()) - kFrame);
  if (width < kNarrowestBar) return text;
  const int filled = static_cast<int>(width * step / std::max<int64_t>(1, total_steps));
  return fmt::format("[{:#<{}}{:.<{}}] {}", "", filled, "", width - filled, text);
}

}  // namespace

StatusLine::StatusLine(int64_t first_step, int64_t total_steps, int64_t samples_per_step)
    : first_step_(first_step),
      total_steps_(total_steps),
      samples_per_step_(samples_per_step),
      step_(first_step),
      terminal_(isatty(STDERR_FILENO) != 0 && log::enabled(log::Level::info)),
      start_(Clock::now()),
      next_(start_),
      paused_at_(start_) {}

void StatusLine::update(const StatusNumbers& numbers) {
  step_ = numbers.step;
  const auto now = Clock::now();
  if (now < next_ && numbers.step < total_steps_) return;
  next_ = now + (terminal_ ? Clock::duration(100ms) : Clock::duration(5s));
  if (!terminal_) return log::info("{}", text(numbers));
  line_.show(with_bar(text(numbers), numbers.step, total_steps_));
}

double StatusLine::elapsed_s() const {
  return std::chrono::duration<double>(Clock::now() - start_ - paused_).count();
}

double StatusLine::samples_per_s() const {
  return static_cast<double>((step_ - first_step_) * samples_per_step_) / std::max(1e-9, elapsed_s());
}

void StatusLine::pause() { paused_at_ = Clock::now(); }
void StatusLine::resume() { paused_ += Clock::now() - paused_at_; }

std::string StatusLine::text(const StatusNumbers& n) const {
  const double per_step = elapsed_s() / static_cast<double>(std::max<int64_t>(1, step_ - first_step_));
  return fmt::format("step {}/{}  loss {:.5g}  grad {:.3g}  lr {:.3g}  {:.0f} samples/s  ETA {}", n.step,
                     total_steps_, n.loss, n.grad_norm, n.learning_rate, samples_per_s(),
                     human_duration(per_step * static_cast<double>(total_steps_ - n.step)));
}

}  // namespace gen
