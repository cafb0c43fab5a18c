#include "metrics/mean.h"

#include <ATen/ATen.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "gen/core/finite.h"

namespace gen {

void Mean::add(const at::Tensor& values, const std::vector<int64_t>& examples) {
  if (values.numel() == 0) return;
  const auto v = values.detach().to(at::kCPU, at::kDouble);
  for (const int64_t row : rows_of(non_finite_rows(v)))
    non_finite_.push_back(examples.empty() ? count_ + row : examples[static_cast<size_t>(row)]);
  const double batch_mean = v.mean().item<double>();
  const double batch_squares = (v - batch_mean).square().sum().item<double>();
  // Chan, Golub & LeVeque 1979: the sums of two parts, without cancellation.
  const auto old = static_cast<double>(count_), added = static_cast<double>(v.numel());
  const double delta = batch_mean - mean_;
  squares_ += batch_squares + delta * delta * old * added / (old + added);
  mean_ += delta * added / (old + added);
  count_ += v.numel();
}

double Mean::std_error() const {
  if (count_ < 2) return 0;
  const auto n = static_cast<double>(count_);
  return std::sqrt(squares_ / (n - 1) / n);
}

Json protocol_of(const Mean& mean) {
  return {{"examples", mean.count()}, {"std_error", "of the mean over the examples"}};
}

}  // namespace gen
