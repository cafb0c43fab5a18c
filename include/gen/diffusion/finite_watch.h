// A denoiser that remembers where its results stopped being numbers.
#pragma once

#include <vector>

#include "gen/diffusion/sampler.h"

namespace gen {

/// Passes calls on to `inner`, which must outlive it, and notes on the device, without waiting for it, at which call a row
/// of x0 first was not finite. Every solver goes through its denoiser, so none has to look by itself.
class FiniteWatch final : public Denoiser {
 public:
  explicit FiniteWatch(Denoiser& inner) : inner_(inner) {}
  at::Tensor operator()(const at::Tensor& x, double t) override;
  std::optional<double> data_bound() const override { return inner_.data_bound(); }

  /// [N] int64: the number of that call, from 1; 0: all were finite. Undefined before the first call.
  const at::Tensor& first_bad_call() const { return first_bad_call_; }
  /// The time of each call.
  const std::vector<double>& times() const { return times_; }

 private:
  Denoiser& inner_;
  at::Tensor first_bad_call_;
  std::vector<double> times_;
};

}  // namespace gen
