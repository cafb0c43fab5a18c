#include "models/flow/coupling.h"

#include "gen/config/option_error.h"
#include "gen/config/options.h"

namespace gen::flow {

void CouplingOptions::visit(OptionVisitor& v) {
  v.choice(
      "mask", mask,
      std::array{std::pair{"odd_even", MaskKind::odd_even}, std::pair{"halves", MaskKind::halves},
                 std::pair{"checkerboard", MaskKind::checkerboard}},
      "how the input is split: odd_even (points), halves (coordinates or channels), checkerboard (images)");
  v.field("swap", swap, "exchange the half that is kept and the half that is changed");
  v.component("network", network, conditioners(),
              "from the kept half to the map of the other; null: mlp for points, "
              "resnet for images");
}

Coupling::Coupling(const CouplingOptions& options, const BijectorContext& context, int64_t parameters,
                   int64_t width_factor)
    : mask_(options.mask, options.swap, context.shape) {
  const ConditionerContext inside{.input = mask_.kept_shape(),
                                  .output_channels = parameters * mask_.changed_shape()[0],
                                  .context_dim = context.context_dim,
                                  .width_factor = width_factor};
  network_ =
      register_module("network", made_within("/network", [&] {
                        return conditioners().make(conditioner_for(options.network, inside.input), inside);
                      }));
}

Mapped Coupling::forward(const at::Tensor& x, const Condition& condition) {
  const auto [kept, changed] = mask_.split(x);
  auto [y, log_det] = transform(changed, network_->forward(kept, condition));
  return {mask_.merge(kept, y), log_det};
}

Mapped Coupling::inverse(const at::Tensor& z, const Condition& condition) {
  const auto [kept, changed] = mask_.split(z);
  auto [x, log_det] = inverse_transform(changed, network_->forward(kept, condition));
  return {mask_.merge(kept, x), log_det};
}

}  // namespace gen::flow
