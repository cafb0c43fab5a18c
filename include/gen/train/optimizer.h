// Optimizers over named parameters, with state that is saved by the parameters' names.
#pragma once

#include <torch/torch.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gen/config/component.h"
#include "gen/io/tensor_map.h"

namespace gen {

/// Parameters that share a weight decay: matrices, kernels and embeddings, named "weight" as everywhere in the ecosystem.
/// Norms, biases and scales, whatever their shape, are not decayed.
struct ParameterGroup {
  std::vector<std::pair<std::string, at::Tensor>> parameters;
  bool decay = true;
};
/// One decayed and one undecayed group of the trainable parameters.
std::vector<ParameterGroup> parameter_groups(const torch::nn::Module& module);

/// A step together with what else goes over the weights.
struct FusedStep {
  double learning_rate = 0;
  double gradient_scale = 1;  ///< the gradients count as multiplied by this
  double average_weight = 0;  ///< average += average_weight * (parameter - average), after the update
  /// The average to update for a parameter, or an undefined tensor; null where nothing is averaged.
  std::function<at::Tensor(const at::Tensor&)> take_average = nullptr;
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  /// One update with the gradients at hand; parameters without one are left alone.
  virtual void step(double learning_rate) = 0;
  /// All of it in one pass over memory; false, with nothing done, where there is no kernel for these parameters.
  virtual bool fused_step(const FusedStep& /*step*/) { return false; }
  void zero_grad();
  /// The configured rate, which a schedule multiplies.
  virtual double learning_rate() const = 0;
  /// Moments and counters as "<parameter>.exp_avg", ..., "step".
  virtual TensorMap state() const = 0;
  /// Throws DataError on a missing, unexpected or wrongly shaped entry.
  virtual void load_state(const TensorMap& state) = 0;
  const std::vector<ParameterGroup>& groups() const { return groups_; }

 protected:
  explicit Optimizer(std::vector<ParameterGroup> groups) : groups_(std::move(groups)) {}
  std::vector<ParameterGroup> groups_;
};

/// The optimizer kind: adamw, adam, sgd.
using OptimizerKind = Kind<std::unique_ptr<Optimizer>(std::vector<ParameterGroup>)>;
const OptimizerKind& optimizers();

/// A learning-rate factor as a pure function of the step.
class LrSchedule {
 public:
  virtual ~LrSchedule() = default;
  virtual double factor(int64_t step, int64_t total_steps) const = 0;
};
/// The lr_schedule kind: constant, cosine, linear, inverse_sqrt, each with warm-up.
using LrScheduleKind = Kind<std::unique_ptr<LrSchedule>()>;
const LrScheduleKind& lr_schedules();

}  // namespace gen
