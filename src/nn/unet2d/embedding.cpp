#include "nn/unet2d/embedding.h"

#include <cmath>
#include <numbers>

#include "gen/core/error.h"
#include "gen/nn/row_wise.h"

namespace gen {

TimeProjection::TimeProjection(const UNet2dOptions& options)
    : kind_(options.time_embedding_type),
      channels_(options.block_out_channels.front()),
      width_(kind_ == "fourier" ? 2 * channels_ : channels_),
      freq_shift_(options.freq_shift),
      flip_sin_to_cos_(options.flip_sin_to_cos) {
  if (kind_ == "fourier") {
    constexpr double kScale = 16;  // Song et al. 2021, as diffusers fixes it
    torch::randn({channels_});     // diffusers draws twice and keeps the second draw: same seed, same weights
    weight_ = register_parameter("weight", torch::randn({channels_}) * kScale, /*requires_grad=*/false);
  } else if (kind_ == "learned") {
    weight_ = register_parameter("weight", torch::randn({*options.num_train_timesteps, channels_}));
  }
}

at::Tensor TimeProjection::forward(const at::Tensor& t) const {
  if (kind_ == "positional") return positional(t);
  if (kind_ == "learned") {
    const auto index = t.to(at::kLong);
    if ((index.lt(0) | index.ge(weight_.size(0))).any().item<bool>())
      throw ShapeError(
          fmt::format("timestep: expected times in [0, {}), the range of the learned embedding, got [{}, {}]",
                      weight_.size(0), index.min().item<int64_t>(), index.max().item<int64_t>()));
    return at::embedding(weight_, index);
  }
  const auto angle = t.to(at::kFloat).log().unsqueeze(1) * weight_ * (2 * std::numbers::pi);  // [B, channels]
  return at::cat({angle.sin(), angle.cos()}, 1);
}

at::Tensor TimeProjection::positional(const at::Tensor& t) const {
  const int64_t half = channels_ / 2;
  const auto options = t.options().dtype(at::kFloat);
  const auto exponent =
      at::arange(half, options) * (-std::log(10000.0)) / static_cast<double>(half - freq_shift_);
  const auto angle = t.to(at::kFloat).unsqueeze(1) * exponent.exp();  // [B, half]
  auto embedding =
      flip_sin_to_cos_ ? at::cat({angle.cos(), angle.sin()}, 1) : at::cat({angle.sin(), angle.cos()}, 1);
  return channels_ % 2 == 0 ? embedding : at::constant_pad_nd(embedding, {0, 1});
}

TimestepEmbedding::TimestepEmbedding(int64_t in, int64_t out) {
  linear_1_ = register_module("linear_1", std::make_shared<Linear>(in, out));
  linear_2_ = register_module("linear_2", std::make_shared<Linear>(out, out));
}

at::Tensor TimestepEmbedding::forward(const at::Tensor& x) const {
  return linear_2_->forward(row_wise::silu(linear_1_->forward(x)));
}

}  // namespace gen
