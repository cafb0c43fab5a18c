// Exponential moving average of a module's weights.
#pragma once

#include <torch/torch.h>

#include <unordered_map>
#include <vector>

#include "gen/io/tensor_map.h"
#include "gen/train/experiment.h"

namespace gen {

/// The factor d in w' = d w' + (1 - d) w at update `n` (from 0), each over `samples_per_step` samples.
/// With `decay`: min(decay, (1 + n) / (10 + n)). With `half_life_samples` h: 0.5^(samples_per_step / min(h,
/// 0.05 s)) after s samples, as Karras et al. 2022 (EDM) ramp it up, so that an early average forgets the
/// initial weights.
double ema_decay(const EmaOptions& options, int64_t n, int64_t samples_per_step);

/// Averages the parameters. Buffers are copied as they are; running statistics among them are those of the raw weights, until
/// someone computes the averages' own.
class Ema {
 public:
  Ema(const torch::nn::Module& module, const EmaOptions& options, int64_t samples_per_step);
  /// Update number `n`, of all averages but those taken since the last one.
  void update(int64_t n);
  /// For an optimizer that updates averages itself, with weight(n): that of a parameter, or an undefined tensor where there
  /// is none in the same layout.
  at::Tensor take(const at::Tensor& parameter);
  double weight(int64_t n) const { return 1 - ema_decay(options_, n, samples_per_step_); }
  /// Whether the running statistics have been made those of the averages since the last update: note_statistics() says so.
  bool has_statistics() const { return has_statistics_; }
  void note_statistics() { has_statistics_ = true; }
  /// Parameters and buffers by name.
  const TensorMap& state() const { return state_; }
  /// Starts again from these; names and shapes must be those of state().
  void load_state(const TensorMap& state);

 private:
  friend class EmaScope;
  EmaOptions options_;
  int64_t samples_per_step_;
  TensorMap state_;
  std::vector<at::Tensor> weights_, averages_;                // floating-point parameters
  std::unordered_map<const c10::TensorImpl*, size_t> index_;  // of a parameter in weights_
  std::vector<bool> taken_;
  std::vector<at::Tensor> buffers_, buffer_copies_;
  bool has_statistics_ = false;
};

/// While it lives, the module computes with the averages.
class EmaScope {
 public:
  explicit EmaScope(Ema& ema) : ema_(ema) { exchange(); }
  ~EmaScope() { exchange(); }
  EmaScope(const EmaScope&) = delete;
  EmaScope& operator=(const EmaScope&) = delete;

 private:
  void exchange();
  Ema& ema_;
};

}  // namespace gen
