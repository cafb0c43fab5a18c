#pragma once

#include <memory>
#include <vector>

#include "gen/config/options.h"
#include "gen/train/optimizer.h"

namespace gen {

struct AdamOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  bool amsgrad = false;
  void visit(OptionVisitor& v);
};
/// As AdamOptions; the decay is applied to the weights themselves: w -= lr * weight_decay * w.
struct AdamWOptions : AdamOptions {
  AdamWOptions() { weight_decay = 0.01; }
};

std::unique_ptr<Optimizer> make_adam(const AdamOptions& options, std::vector<ParameterGroup> groups);
std::unique_ptr<Optimizer> make_adamw(const AdamWOptions& options, std::vector<ParameterGroup> groups);

}  // namespace gen
