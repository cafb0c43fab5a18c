#include "train/sgd.h"

#include <fmt/format.h>

#include "train/optimizer_state.h"

namespace gen {

void SgdOptions::visit(OptionVisitor& v) {
  v.field("lr", lr, "learning rate", {.min = 0, .exclusive_min = true});
  v.field("momentum", momentum, "decay of the running sum of gradients; 0: none",
          {.min = 0, .max = 1, .exclusive_max = true});
  v.field("weight_decay", weight_decay,
          "of matrices and convolutions; norms, biases and vectors are not decayed", {.min = 0});
  v.field("nesterov", nesterov, "looks ahead along the momentum (Sutskever et al. 2013)");
  v.require(!nesterov || momentum > 0, "momentum", "more than 0 where nesterov is on",
            fmt::format("{}", momentum));
}

namespace {

class Sgd final : public Optimizer {
 public:
  Sgd(const SgdOptions& options, std::vector<ParameterGroup> groups)
      : Optimizer(std::move(groups)), options_(options) {
    const at::NoGradGuard no_grad;
    for (const auto& group : groups_) {
      auto& buffers = buffers_.emplace_back();
      if (options_.momentum == 0) continue;
      for (const auto& [name, parameter] : group.parameters) {
        buffers.push_back(at::zeros_like(parameter));
        entries_.push_back({name + ".momentum_buffer", buffers.back()});
      }
    }
  }

  void step(double learning_rate) override {
    const at::NoGradGuard no_grad;
    for (size_t g = 0; g < groups_.size(); ++g) {
      std::vector<at::Tensor> parameters, gradients, buffers;
      for (size_t i = 0; i < groups_[g].parameters.size(); ++i) {
        const at::Tensor& parameter = groups_[g].parameters[i].second;
        if (!parameter.grad().defined()) continue;
        parameters.push_back(parameter);
        gradients.push_back(dense_gradient(parameter));
        if (!buffers_[g].empty()) buffers.push_back(buffers_[g][i]);
      }
      if (parameters.empty()) continue;
      // A buffer of zeros makes the first step like any other: 0 * momentum + gradient.
      at::_fused_sgd_(parameters, gradients, buffers, groups_[g].decay ? options_.weight_decay : 0.0,
                      options_.momentum, learning_rate, /*dampening=*/0.0, options_.nesterov,
                      /*maximize=*/false,
                      /*is_first_step=*/false);
    }
  }

  double learning_rate() const override { return options_.lr; }
  TensorMap state() const override { return save_optimizer_state(entries_); }
  void load_state(const TensorMap& state) override { load_optimizer_state(entries_, state); }

 private:
  SgdOptions options_;
  std::vector<std::vector<at::Tensor>> buffers_;  // one list for each group; empty without momentum
  std::vector<StateEntry> entries_;
};

}  // namespace

std::unique_ptr<Optimizer> make_sgd(const SgdOptions& options, std::vector<ParameterGroup> groups) {
  return std::make_unique<Sgd>(options, std::move(groups));
}

}  // namespace gen
