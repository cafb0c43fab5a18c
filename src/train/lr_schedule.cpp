#include <cmath>
#include <numbers>

#include "gen/config/options.h"
#include "gen/train/optimizer.h"

namespace gen {
namespace {

struct ConstantOptions {
  int64_t warmup_steps = 0;
  void visit(OptionVisitor& v) {
    v.field("warmup_steps", warmup_steps, "steps over which the rate rises linearly to its full value",
            {.min = 0, .max = 1e12});
  }
};
struct DecayOptions : ConstantOptions {
  double min_ratio = 0;
  void visit(OptionVisitor& v) {
    ConstantOptions::visit(v);
    v.field("min_ratio", min_ratio,
            "factor of the last step (the schedules of PyTorch and transformers come to theirs one step "
            "after it)",
            {.min = 0, .max = 1});
  }
};
// Distinct types, since a kind finds a type's options by their C++ type.
struct LinearOptions : DecayOptions {};
struct CosineOptions : DecayOptions {};
struct InverseSqrtOptions : ConstantOptions {};

/// (n + 1) / warmup while n < warmup, so that the first step already moves; then `after`.
template <class After>
class Warmed final : public LrSchedule {
 public:
  Warmed(int64_t warmup, After after) : warmup_(warmup), after_(std::move(after)) {}
  double factor(int64_t step, int64_t total_steps) const override {
    if (step < warmup_) return static_cast<double>(step + 1) / static_cast<double>(warmup_);
    return after_(step, total_steps);
  }

 private:
  int64_t warmup_;
  After after_;
};

template <class After>
std::unique_ptr<LrSchedule> warmed(int64_t warmup, After after) {
  return std::make_unique<Warmed<After>>(warmup, std::move(after));
}

/// How far a step lies on the way from the first one at the full rate, which ends the warm-up, to the last one: in [0, 1].
/// A run of a single step is at the full rate.
double progress(int64_t step, int64_t warmup, int64_t total_steps) {
  const int64_t first = std::max<int64_t>(0, warmup - 1);
  return std::clamp(
      static_cast<double>(step - first) / static_cast<double>(std::max<int64_t>(1, total_steps - 1 - first)),
      0.0, 1.0);
}

std::unique_ptr<LrSchedule> make_constant(const ConstantOptions& options) {
  return warmed(options.warmup_steps, [](int64_t, int64_t) { return 1.0; });
}

std::unique_ptr<LrSchedule> make_cosine(const CosineOptions& options) {
  return warmed(options.warmup_steps, [options](int64_t step, int64_t total_steps) {
    const double half_wave =
        0.5 * (1 + std::cos(std::numbers::pi * progress(step, options.warmup_steps, total_steps)));
    return options.min_ratio + (1 - options.min_ratio) * half_wave;
  });
}

std::unique_ptr<LrSchedule> make_linear(const LinearOptions& options) {
  return warmed(options.warmup_steps, [options](int64_t step, int64_t total_steps) {
    return options.min_ratio +
           (1 - options.min_ratio) * (1 - progress(step, options.warmup_steps, total_steps));
  });
}

// Vaswani et al. 2017, eq. 3, scaled so that the full rate is reached at the end of the warm-up.
std::unique_ptr<LrSchedule> make_inverse_sqrt(const InverseSqrtOptions& options) {
  const auto warmup = static_cast<double>(std::max<int64_t>(1, options.warmup_steps));
  return warmed(options.warmup_steps, [warmup](int64_t step, int64_t) {
    return std::sqrt(warmup / std::max(warmup, static_cast<double>(step + 1)));
  });
}

}  // namespace

const LrScheduleKind& lr_schedules() {
  static const auto kind = [] {
    LrScheduleKind k("lr_schedule");
    k.add<ConstantOptions>("constant", make_constant, "the full rate throughout");
    k.add<CosineOptions>("cosine", make_cosine,
                         "half a cosine wave down to min_ratio (Loshchilov & Hutter 2017)");
    k.add<LinearOptions>("linear", make_linear, "a straight line down to min_ratio");
    k.add<InverseSqrtOptions>("inverse_sqrt", make_inverse_sqrt, "1/sqrt(step) (Vaswani et al. 2017)");
    return k;
  }();
  return kind;
}

}  // namespace gen
