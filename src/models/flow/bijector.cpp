#include "models/flow/bijector.h"

#include <fmt/ranges.h>

#include "gen/nn/row_wise.h"

namespace gen::flow {

std::string to_string(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

at::Tensor over_channels(const at::Tensor& v, const at::Tensor& x) {
  return row_wise::one_for_each(x.dim() == 2 ? v : v.view({-1, 1, 1}), x);
}

}  // namespace gen::flow
