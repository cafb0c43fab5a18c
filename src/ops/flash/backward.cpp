#include "ops/flash/cpu.h"
#include "ops/flash/gradients.h"

namespace gen::ops::flash::cpu {

void backward(const Problem& problem, const BackwardArguments& arguments, const simd::Kernels& kernels) {
  const Gradients gradients(problem, arguments, kernels);
  const auto all = sequences(problem);
  std::vector<Sequence> few, many;
  for (const auto& s : all) (has_few_keys(s) ? few : many).push_back(s);
  if (!few.empty()) backward_by_queries(gradients, few);
  if (!many.empty()) backward_by_keys(gradients, many);
  if (arguments.grad_bias != nullptr) backward_of_bias(gradients, all);
}

}  // namespace gen::ops::flash::cpu
