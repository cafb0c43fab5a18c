#include "train/precision.h"

#include <ATen/autocast_mode.h>
#include <torch/torch.h>

#include <nlohmann/json.hpp>

#include "gen/core/error.h"

namespace gen {
namespace {

constexpr int64_t kGrowthInterval = 2000;
constexpr double kMaxScale =
    16777216;  // 2^24: beyond it a loss of order 1 overflows fp16's gradients at once

}  // namespace

void check_precision(Precision precision, at::Device device) {
  if (precision == Precision::fp16 && !device.is_cuda())
    throw ConfigError(fmt::format(
        "/train/precision: expected fp32 or bf16 on {}, got \"fp16\" (fp16 needs CUDA)", device.str()));
}

AutocastGuard::AutocastGuard(Precision precision, at::Device device) : device_(device.type()) {
  if (precision == Precision::fp32) return;
  active_ = true;
  was_enabled_ = at::autocast::is_autocast_enabled(device_);
  was_dtype_ = at::autocast::get_autocast_dtype(device_);
  at::autocast::set_autocast_enabled(device_, true);
  at::autocast::set_autocast_dtype(device_, precision == Precision::bf16 ? at::kBFloat16 : at::kHalf);
  at::autocast::increment_nesting();
}

AutocastGuard::~AutocastGuard() {
  if (!active_) return;
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_dtype(device_, was_dtype_);
  at::autocast::set_autocast_enabled(device_, was_enabled_);
}

void LossScaler::unscale_(const std::vector<at::Tensor>& gradients) const {
  if (!active_ || gradients.empty()) return;
  const at::NoGradGuard no_grad;
  at::_foreach_mul_(gradients, 1 / scale_);
}

bool LossScaler::update(bool overflowed) {
  if (!active_) return true;
  if (overflowed) {
    good_steps_ = 0;
    if (scale_ <= 1) return false;
    scale_ /= 2;
    return true;
  }
  if (++good_steps_ % kGrowthInterval == 0) scale_ = std::min(2 * scale_, kMaxScale);
  return true;
}

Json LossScaler::state() const { return {{"scale", scale_}, {"good_steps", good_steps_}}; }

void LossScaler::load_state(const JsonFields& state) {
  scale_ = state.get<double>("scale");
  good_steps_ = state.get<int64_t>("good_steps");
}

}  // namespace gen
