#include "gen/config/option_error.h"
#include "gen/config/options.h"
#include "gen/core/error.h"
#include "models/flow/actnorm.h"
#include "models/flow/affine_coupling.h"
#include "models/flow/architecture.h"
#include "models/flow/batch_norm.h"
#include "models/flow/squeeze.h"

namespace gen::flow {
namespace {

// One scale: its couplings, with their masks and norms.
class Scale {
 public:
  Scale(const RealnvpOptions& options, const BijectorContext& context, int64_t width_factor)
      : options_(options), width_factor_(width_factor), level_(std::make_shared<Sequence>(context)) {}

  /// `count` couplings, the halves exchanged from each to the next.
  void add_couplings(int64_t count, MaskKind mask) {
    for (int64_t i = 0; i < count; ++i) {
      add_norm();
      const CouplingOptions coupling{.mask = mask, .swap = i % 2 == 1, .network = options_.network};
      level_->add(std::make_shared<AffineCoupling>(coupling, level_->next(), width_factor_));
    }
  }
  void add_squeeze() { level_->add(std::make_shared<Squeeze>(level_->next())); }
  const std::shared_ptr<Sequence>& level() const { return level_; }

 private:
  void add_norm() {
    if (options_.norm == FlowNorm::actnorm) level_->add(std::make_shared<ActNorm>(level_->next()));
    if (options_.norm == FlowNorm::batch_norm)
      level_->add(std::make_shared<BatchNormBijector>(BatchNormBijectorOptions{}, level_->next()));
  }

  const RealnvpOptions& options_;
  int64_t width_factor_;
  std::shared_ptr<Sequence> level_;
};

// Every scale halves the sides: by its masks, and for the next one.
void check_sides(const Shape& shape, int64_t num_scales) {
  int64_t most = 0;
  for (int64_t side = 2; shape[1] % side == 0 && shape[2] % side == 0; side *= 2) ++most;
  if (most == 0)
    throw ConfigError(
        fmt::format("expected images whose height and width are even, got {} (the size of the images "
                    "is an option of the data)",
                    to_string(shape)));
  if (num_scales > most)
    throw OptionError("/num_scales",
                      fmt::format("expected at most {} for images {}, whose sides every scale halves, "
                                  "got {}",
                                  most, to_string(shape), num_scales));
}

}  // namespace

void RealnvpOptions::visit(OptionVisitor& v) {
  v.field("num_scales", num_scales, "scales of an image; null: 2 (points have 1)", {.min = 1, .max = 12});
  v.field("couplings", couplings, "affine couplings for each kind of mask at a scale",
          {.min = 1, .max = 1000});
  v.choice("norm", norm,
           std::array{std::pair{"none", FlowNorm::none}, std::pair{"actnorm", FlowNorm::actnorm},
                      std::pair{"batch_norm", FlowNorm::batch_norm}},
           "before each coupling: actnorm (Kingma & Dhariwal 2018), batch_norm (Dinh et al. 2017) or none");
  v.component("network", network, conditioners(),
              "of each coupling; null: mlp for points, resnet for images");
}

std::shared_ptr<MultiScale> make_realnvp(const RealnvpOptions& options, const BijectorContext& context) {
  const bool images = context.shape.size() == 3;
  const int64_t num_scales = options.num_scales.value_or(images ? 2 : 1);
  if (!images && num_scales != 1)
    throw OptionError("/num_scales",
                      fmt::format("expected 1 or null for points of shape {}, which have one scale, "
                                  "got {}",
                                  to_string(context.shape), num_scales));
  if (images) check_sides(context.shape, num_scales);
  auto flow = std::make_shared<MultiScale>(context);
  for (int64_t s = 0; s < num_scales; ++s) {
    const bool last = s + 1 == num_scales;
    Scale scale(options, flow->next(), int64_t{1} << s);
    if (!images) {
      scale.add_couplings(options.couplings, MaskKind::odd_even);
    } else if (last) {
      scale.add_couplings(options.couplings + 1, MaskKind::checkerboard);
    } else {
      scale.add_couplings(options.couplings, MaskKind::checkerboard);
      scale.add_squeeze();
      scale.add_couplings(options.couplings, MaskKind::halves);
    }
    flow->add_level(scale.level(), !last);
  }
  return flow;
}

}  // namespace gen::flow
