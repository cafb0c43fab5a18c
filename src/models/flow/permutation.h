// Fixed permutations of channels or coordinates: volume-preserving, they let couplings reach every dimension.
#pragma once

#include "models/flow/bijector.h"

namespace gen::flow {

struct PermutationOptions {
  bool reverse = false;
  std::optional<int64_t> seed = {};
  void visit(OptionVisitor& v);
};

/// z[i] = x[order[i]] along dimension 1; the order is a buffer, saved with the weights.
class Permutation : public Bijector {
 public:
  Permutation(const PermutationOptions& options, const BijectorContext& context);
  Mapped forward(const at::Tensor& x, const Condition& condition) override;
  Mapped inverse(const at::Tensor& z, const Condition& condition) override;

 private:
  at::Tensor order_;  // [C] or [D] int64
};

}  // namespace gen::flow
