#include "gen/diffusion/finite_watch.h"

#include <ATen/ATen.h>

#include "gen/core/finite.h"

namespace gen {

at::Tensor FiniteWatch::operator()(const at::Tensor& x, double t) {
  const auto x0 = inner_(x, t);
  times_.push_back(t);
  const auto bad = non_finite_rows(x0);  // [N]
  if (!first_bad_call_.defined()) first_bad_call_ = at::zeros_like(bad, at::kLong);
  first_bad_call_ =
      at::where(bad.logical_and(first_bad_call_.eq(0)), static_cast<int64_t>(times_.size()), first_bad_call_);
  return x0;
}

}  // namespace gen
