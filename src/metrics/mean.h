// The mean of a value over examples, with its standard error.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace gen {

class Mean {
 public:
  /// One value for each example, [B].
  void add(const at::Tensor& values);
  int64_t count() const { return count_; }
  double mean() const { return mean_; }
  /// Sample standard deviation / sqrt(count); 0 for fewer than two examples.
  double std_error() const;

 private:
  int64_t count_ = 0;
  double mean_ = 0, squares_ = 0;  // of the differences from the mean
};

}  // namespace gen
