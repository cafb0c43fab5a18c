#include "gen/config/option_error.h"
#include "gen/config/options.h"
#include "models/flow/architecture.h"

namespace gen::flow {

void SequenceOptions::visit(OptionVisitor& v) {
  v.components("bijectors", bijectors, flow::bijectors(), "in the order from data to latent",
               {.required = true, .min_size = 1});
}

std::shared_ptr<MultiScale> make_sequence(const SequenceOptions& options, const BijectorContext& context) {
  auto level = std::make_shared<Sequence>(context);
  for (size_t i = 0; i < options.bijectors.size(); ++i)
    level->add(made_within(fmt::format("/bijectors/{}", i),
                           [&] { return bijectors().make(options.bijectors[i], level->next()); }));
  auto flow = std::make_shared<MultiScale>(context);
  flow->add_level(level, /*factor_out=*/false);
  return flow;
}

}  // namespace gen::flow
