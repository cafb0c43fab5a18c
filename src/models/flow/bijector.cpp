#include "models/flow/bijector.h"

#include <fmt/ranges.h>

#include "gen/nn/row_wise.h"

namespace gen::flow {

std::string to_string(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

std::pair<at::Tensor, at::Tensor> channel_moments(const at::Tensor& x) {
  const auto of_channels = [&](const at::Tensor& y) { return y.flatten(2).mean(2).mean(0); };
  const auto positions = x.dim() == 2 ? x.unsqueeze(2) : x;  // [B, C, ...]
  const auto mean = of_channels(positions);
  return {mean, of_channels((x - over_channels(mean, x)).square().view_as(positions))};
}

at::Tensor over_channels(const at::Tensor& v, const at::Tensor& x) {
  return row_wise::one_for_each(x.dim() == 2 ? v : v.view({-1, 1, 1}), x);
}

}  // namespace gen::flow
