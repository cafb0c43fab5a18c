// The mean of a value over examples, with its standard error.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "gen/config/json.h"

namespace gen {

class Mean {
 public:
  /// One value for each example, [B], and the examples' indices; empty: they are counted from 0.
  void add(const at::Tensor& values, const std::vector<int64_t>& examples = {});
  /// The examples whose value is not finite.
  const std::vector<int64_t>& non_finite() const { return non_finite_; }
  int64_t count() const { return count_; }
  double mean() const { return mean_; }
  /// Sample standard deviation / sqrt(count); 0 for fewer than two examples.
  double std_error() const;

 private:
  int64_t count_ = 0;
  double mean_ = 0, squares_ = 0;  // of the differences from the mean
  std::vector<int64_t> non_finite_;
};

/// What every protocol says of a mean: its number of examples and what its spread is.
Json protocol_of(const Mean& mean);

}  // namespace gen
