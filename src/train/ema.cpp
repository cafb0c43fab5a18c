#include "train/ema.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "gen/core/check.h"
#include "gen/ops/ema_update.h"

namespace gen {
namespace {

// EDM's ema_rampup_ratio (Karras et al. 2022, training_loop.py).
constexpr double kRampUp = 0.05;

}  // namespace

double ema_decay(const EmaOptions& options, int64_t n, int64_t samples_per_step) {
  const auto updates = static_cast<double>(n);
  if (options.decay) return std::min(*options.decay, (1 + updates) / (10 + updates));
  const auto samples = static_cast<double>(samples_per_step);
  const double half_life = std::min(*options.half_life_samples, kRampUp * samples * updates);
  return half_life > 0 ? std::exp2(-samples / half_life) : 0.0;
}

Ema::Ema(const torch::nn::Module& module, const EmaOptions& options, int64_t samples_per_step)
    : options_(options), samples_per_step_(samples_per_step) {
  const at::NoGradGuard no_grad;
  std::map<const c10::TensorImpl*, at::Tensor> seen;  // a weight that two modules share has one average
  for (const auto& item : module.named_parameters()) {
    at::Tensor& average = seen[item.value().unsafeGetTensorImpl()];
    if (!average.defined()) {
      average = item.value().detach().clone();
      index_.emplace(item.value().unsafeGetTensorImpl(), weights_.size());
      weights_.push_back(item.value());
      averages_.push_back(average);
    }
    state_.emplace(item.key(), average);
  }
  taken_.resize(weights_.size());
  for (const auto& item : module.named_buffers()) {
    buffers_.push_back(item.value());
    buffer_copies_.push_back(item.value().detach().clone());
    state_.emplace(item.key(), buffer_copies_.back());
  }
}

void Ema::update(int64_t n) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> averages, weights;
  for (size_t i = 0; i < weights_.size(); ++i) {
    if (taken_[i]) continue;
    averages.push_back(averages_[i]);
    weights.push_back(weights_[i]);
  }
  taken_.assign(taken_.size(), false);
  ops::ema_update_(averages, weights, weight(n));
  for (size_t i = 0; i < buffers_.size(); ++i) buffer_copies_[i].copy_(buffers_[i]);
  has_statistics_ = false;
}

at::Tensor Ema::take(const at::Tensor& parameter) {
  const auto found = index_.find(parameter.unsafeGetTensorImpl());
  if (found == index_.end() || averages_[found->second].strides() != parameter.strides()) return {};
  taken_[found->second] = true;
  return averages_[found->second];
}

void Ema::load_state(const TensorMap& state) {
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : state_) {
    const auto found = state.find(name);
    if (found == state.end() || !found->second.sizes().equals(tensor.sizes()) ||
        state.size() != state_.size())
      throw DataError(
          fmt::format("the averaged weights do not fit the model: {} is missing or of another shape", name));
    tensor.copy_(found->second);
  }
  has_statistics_ = false;
}

void EmaScope::exchange() {
  const auto swap = [](std::vector<at::Tensor>& live, std::vector<at::Tensor>& kept) {
    for (size_t i = 0; i < live.size(); ++i) {
      const at::Tensor before = live[i].detach();
      live[i].set_data(kept[i]);
      kept[i].set_data(before);
    }
  };
  swap(ema_.weights_, ema_.averages_);
  swap(ema_.buffers_, ema_.buffer_copies_);
}

}  // namespace gen
