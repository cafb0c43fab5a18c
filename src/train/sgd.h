#pragma once

#include <memory>
#include <vector>

#include "gen/config/options.h"
#include "gen/train/optimizer.h"

namespace gen {

struct SgdOptions {
  double lr = 0.1, momentum = 0.9, weight_decay = 0;
  bool nesterov = false;
  void visit(OptionVisitor& v);
};

std::unique_ptr<Optimizer> make_sgd(const SgdOptions& options, std::vector<ParameterGroup> groups);

}  // namespace gen
