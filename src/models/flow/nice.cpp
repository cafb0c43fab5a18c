#include "gen/config/options.h"
#include "models/flow/additive_coupling.h"
#include "models/flow/architecture.h"
#include "models/flow/flatten.h"
#include "models/flow/scaling.h"

namespace gen::flow {

void NiceOptions::visit(OptionVisitor& v) {
  v.field("couplings", couplings, "additive couplings; below 3 some dimensions never meet",
          {.min = 1, .max = 1000});
  v.field("hidden_sizes", hidden_sizes, "widths of the hidden ReLU layers of each coupling's network",
          {.min = 1, .max = 65536, .min_size = 1});
}

std::shared_ptr<MultiScale> make_nice(const NiceOptions& options, const BijectorContext& context) {
  auto flow = std::make_shared<MultiScale>(context);
  auto level = std::make_shared<Sequence>(context);
  level->add(std::make_shared<Flatten>(level->next()));
  for (int64_t i = 0; i < options.couplings; ++i) {
    const CouplingOptions coupling{
        .mask = MaskKind::odd_even,
        .swap = i % 2 == 1,
        .network = make_component("mlp", MlpConditionerOptions{.hidden_sizes = options.hidden_sizes})};
    level->add(std::make_shared<AdditiveCoupling>(coupling, level->next()));
  }
  level->add(std::make_shared<Scaling>(level->next()));
  flow->add_level(level, /*factor_out=*/false);
  return flow;
}

}  // namespace gen::flow
