#include "models/flow/multi_scale.h"

#include "gen/core/check.h"

namespace gen::flow {

void MultiScale::add_level(std::shared_ptr<Sequence> level, bool factor_out) {
  GEN_CHECK(latent_shapes_.size() == levels_.size(), "no level may follow the last");
  Shape shape = level->output_shape(context_.shape);
  if (factor_out) {
    if (shape[0] % 2 != 0)
      throw ConfigError(
          fmt::format("half of the channels cannot be factored out of shape {}", to_string(shape)));
    shape[0] /= 2;
  }
  latent_shapes_.push_back(shape);
  context_.shape = shape;
  levels_.push_back(register_module("level" + std::to_string(levels_.size()), std::move(level)));
}

MultiScale::Encoded MultiScale::encode(const at::Tensor& x, const Condition& condition) {
  Encoded encoded;
  auto h = x;
  for (size_t l = 0; l < levels_.size(); ++l) {
    auto [y, log_det] = levels_[l]->forward(h, condition);
    encoded.log_det = l == 0 ? log_det : encoded.log_det + log_det;
    h = y;
    if (l + 1 < levels_.size()) {
      const auto halves = y.chunk(2, 1);  // goes on, factored out
      h = halves[0];
      encoded.latents.push_back(halves[1]);
    }
  }
  encoded.latents.push_back(h);
  return encoded;
}

at::Tensor MultiScale::decode(const std::vector<at::Tensor>& latents, const Condition& condition) {
  GEN_CHECK(latents.size() == levels_.size(), "{} latents for {} levels", latents.size(), levels_.size());
  auto h = latents.back();
  for (size_t l = levels_.size(); l-- > 0;) {
    if (l + 1 < levels_.size()) h = at::cat({h, latents[l]}, 1);
    h = levels_[l]->inverse(h, condition).y;
  }
  return h;
}

void MultiScale::initialize(const at::Tensor& x, const Condition& condition) {
  torch::NoGradGuard no_grad;
  auto h = x;
  for (size_t l = 0; l < levels_.size(); ++l) {
    levels_[l]->initialize(h, condition);
    h = levels_[l]->forward(h, condition).y;
    if (l + 1 < levels_.size()) h = h.chunk(2, 1)[0];
  }
}

}  // namespace gen::flow
