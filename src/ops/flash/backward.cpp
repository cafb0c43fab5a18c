#include "ops/flash/cpu.h"
#include "ops/flash/gradients.h"

namespace gen::ops::flash::cpu {

void backward(const Problem& problem, const BackwardArguments& arguments, const simd::Kernels& kernels) {
  const Gradients gradients(problem, arguments, kernels);
  const auto all = sequences(problem);
  std::vector<Sequence> few_queries, few_keys, others;
  for (const auto& s : all)
    (has_few_queries(s, gradients.group) ? few_queries : has_few_keys(s) ? few_keys : others).push_back(s);
  if (!few_queries.empty()) backward_of_few(gradients, few_queries);
  if (!few_keys.empty()) backward_by_queries(gradients, few_keys);
  if (!others.empty()) backward_by_keys(gradients, others);
  if (arguments.grad_bias != nullptr) backward_of_bias(gradients, all);
}

}  // namespace gen::ops::flash::cpu
