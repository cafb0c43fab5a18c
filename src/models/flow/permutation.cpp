#include "models/flow/permutation.h"

#include "gen/config/options.h"
#include "gen/core/rng.h"

namespace gen::flow {

void PermutationOptions::visit(OptionVisitor& v) {
  v.field("reverse", reverse, "reverse the order instead of drawing a random one");
  v.field("seed", seed, "of the random order; null: drawn with the run's seed, anew for each permutation",
          {.min = 0});
}

Permutation::Permutation(const PermutationOptions& options, const BijectorContext& context) {
  const int64_t n = context.shape[0];
  const auto draw = [&] {
    if (!options.seed) return at::randperm(n);  // from the generator that initialises parameters
    return Rng(derive_seed(static_cast<uint64_t>(*options.seed), Stream::permutation)).permutation(n);
  };
  order_ = register_buffer("order", options.reverse ? at::arange(n - 1, -1, -1) : draw());
}

Mapped Permutation::forward(const at::Tensor& x, const Condition&) {
  return {x.index_select(1, order_), at::zeros({x.size(0)}, x.options())};
}

Mapped Permutation::inverse(const at::Tensor& z, const Condition&) {
  return {z.index_select(1, order_.argsort()), at::zeros({z.size(0)}, z.options())};
}

}  // namespace gen::flow
