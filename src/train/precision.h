// Reduced precision: autocast for the forward pass, and the loss scaler that fp16's narrow range needs.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "gen/config/json_fields.h"
#include "gen/train/experiment.h"

namespace gen {

/// Throws ConfigError for fp16 on a CPU.
void check_precision(Precision precision, at::Device device);

/// While it lives, matrix products and convolutions on `device` run in bf16 or fp16; nothing happens for
/// fp32. The earlier state comes back at the end, and the cache of cast weights is cleared.
class AutocastGuard {
 public:
  AutocastGuard(Precision precision, at::Device device);
  ~AutocastGuard();
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;

 private:
  bool active_ = false, was_enabled_ = false;
  at::DeviceType device_ = at::kCPU;
  at::ScalarType was_dtype_ = at::kFloat;
};

/// Dynamic loss scaling (Micikevicius et al. 2018): doubles the scale after 2000 good steps in a row and
/// halves it on an overflow, whose step is left out. Inactive unless the precision is fp16.
class LossScaler {
 public:
  explicit LossScaler(bool active) : active_(active) {}
  bool active() const { return active_; }
  double scale() const { return active_ ? scale_ : 1.0; }
  at::Tensor scaled(const at::Tensor& loss) const { return active_ ? loss * scale_ : loss; }
  /// Divides the gradients by the scale, in place.
  void unscale_(const std::vector<at::Tensor>& gradients) const;
  /// After each step. False once the scale cannot fall further: the overflow is then no matter of range.
  bool update(bool overflowed);
  Json state() const;
  void load_state(const JsonFields& state);

 private:
  bool active_;
  double scale_ = 65536;
  int64_t good_steps_ = 0;
};

}  // namespace gen
