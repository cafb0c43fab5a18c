#include "train/adam.h"

#include "gen/ops/adamw.h"
#include "train/optimizer_state.h"

namespace gen {

void AdamOptions::visit(OptionVisitor& v) {
  v.field("lr", lr, "learning rate", {.min = 0, .exclusive_min = true});
  v.field("beta1", beta1, "decay of the mean of the gradients", {.min = 0, .max = 1, .exclusive_max = true});
  v.field("beta2", beta2, "decay of the mean of their squares", {.min = 0, .max = 1, .exclusive_max = true});
  v.field("eps", eps, "added to the root of the second moment", {.min = 0});
  v.field("weight_decay", weight_decay,
          "of matrices and convolutions; norms, biases and vectors are not decayed", {.min = 0});
  v.field("amsgrad", amsgrad, "divides by the largest second moment so far (Reddi et al. 2018)");
}

namespace {

class Adam final : public Optimizer {
 public:
  Adam(const AdamOptions& options, std::vector<ParameterGroup> groups, bool decoupled)
      : Optimizer(std::move(groups)), options_(options), decoupled_(decoupled) {
    const at::NoGradGuard no_grad;
    for (const auto& group : groups_) {
      Moments& moments = moments_.emplace_back();
      for (const auto& [name, parameter] : group.parameters) {
        moments.mean.push_back(at::zeros_like(parameter));
        moments.square.push_back(at::zeros_like(parameter));
        if (options_.amsgrad) moments.max_square.push_back(at::zeros_like(parameter));
        // The kernels read each parameter's own count of updates, as float32 on its device.
        moments.step.push_back(at::zeros({}, parameter.options().dtype(at::kFloat)));
        entries_.push_back({name + ".exp_avg", moments.mean.back()});
        entries_.push_back({name + ".exp_avg_sq", moments.square.back()});
        if (options_.amsgrad) entries_.push_back({name + ".max_exp_avg_sq", moments.max_square.back()});
        entries_.push_back({name + ".step", moments.step.back()});
      }
    }
  }

  void step(double learning_rate) override {
    if (!fused_step({learning_rate})) step_with_torch(learning_rate);
  }

  bool fused_step(const FusedStep& step) override {
    if (!decoupled_ || options_.amsgrad || !all_supported()) return false;
    const at::NoGradGuard no_grad;
    std::vector<ops::AdamWTensor> tensors;
    std::vector<at::Tensor> counts;
    for (size_t g = 0; g < groups_.size(); ++g)
      for (size_t i = 0; i < groups_[g].parameters.size(); ++i) {
        const at::Tensor& parameter = groups_[g].parameters[i].second;
        if (!parameter.grad().defined()) continue;
        const Moments& moments = moments_[g];
        counts.push_back(moments.step[i]);
        tensors.push_back({parameter, dense_gradient(parameter), moments.mean[i], moments.square[i],
                           moments.step[i], step.take_average ? step.take_average(parameter) : at::Tensor(),
                           groups_[g].decay ? options_.weight_decay : 0.0});
      }
    if (tensors.empty()) return true;
    at::_foreach_add_(counts, 1);
    ops::adamw_(tensors, {step.learning_rate, options_.beta1, options_.beta2, options_.eps,
                          step.gradient_scale, step.average_weight});
    return true;
  }

  double learning_rate() const override { return options_.lr; }
  TensorMap state() const override { return save_optimizer_state(entries_); }
  void load_state(const TensorMap& state) override { load_optimizer_state(entries_, state); }

 private:
  bool all_supported() const {
    for (size_t g = 0; g < groups_.size(); ++g)
      for (size_t i = 0; i < groups_[g].parameters.size(); ++i) {
        const at::Tensor& parameter = groups_[g].parameters[i].second;
        if (!ops::adamw_supported(parameter) || moments_[g].mean[i].strides() != parameter.strides())
          return false;
      }
    return true;
  }

  /// Adam, amsgrad, and what our kernel does not take.
  void step_with_torch(double learning_rate) {
    const at::NoGradGuard no_grad;
    for (size_t g = 0; g < groups_.size(); ++g) {
      Moments now;
      std::vector<at::Tensor> parameters, gradients;
      parameters.reserve(groups_[g].parameters.size());
      gradients.reserve(groups_[g].parameters.size());
      for (size_t i = 0; i < groups_[g].parameters.size(); ++i) {
        const at::Tensor& parameter = groups_[g].parameters[i].second;
        if (!parameter.grad().defined()) continue;
        parameters.push_back(parameter);
        gradients.push_back(dense_gradient(parameter));
        now.append(moments_[g], i);
      }
      if (parameters.empty()) continue;
      at::_foreach_add_(now.step, 1);
      const auto update = [&](auto kernel) {
        kernel(parameters, gradients, now.mean, now.square, now.max_square, now.step, learning_rate,
               options_.beta1, options_.beta2, groups_[g].decay ? options_.weight_decay : 0.0, options_.eps,
               options_.amsgrad,
               /*maximize=*/false, /*grad_scale=*/std::nullopt, /*found_inf=*/std::nullopt);
      };
      if (decoupled_)
        update([](auto&&... arguments) { at::_fused_adamw_(arguments...); });
      else
        update([](auto&&... arguments) { at::_fused_adam_(arguments...); });
    }
  }

  struct Moments {
    std::vector<at::Tensor> mean, square, max_square, step;
    void append(const Moments& other, size_t i) {
      mean.push_back(other.mean[i]);
      square.push_back(other.square[i]);
      if (!other.max_square.empty()) max_square.push_back(other.max_square[i]);
      step.push_back(other.step[i]);
    }
  };

  AdamOptions options_;
  bool decoupled_;
  std::vector<Moments> moments_;  // one for each group
  std::vector<StateEntry> entries_;
};

}  // namespace

std::unique_ptr<Optimizer> make_adam(const AdamOptions& options, std::vector<ParameterGroup> groups) {
  return std::make_unique<Adam>(options, std::move(groups), /*decoupled=*/false);
}

std::unique_ptr<Optimizer> make_adamw(const AdamWOptions& options, std::vector<ParameterGroup> groups) {
  return std::make_unique<Adam>(options, std::move(groups), /*decoupled=*/true);
}

}  // namespace gen
