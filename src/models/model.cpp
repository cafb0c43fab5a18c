#include "gen/models/model.h"

#include "gen/config/option_error.h"
#include "gen/nn/named_inputs.h"

namespace gen {

TensorMap Model::forward_named(const TensorMap& inputs) {
  throw ConfigError(fmt::format("this model family has no network that runs on named tensors (given: {})",
                                names_of(inputs)));
}

void Model::check_sampling(const SampleRequest& request, at::ScalarType dtype) const {
  OptionMistakes mistakes;
  if (request.sampler)
    mistakes.add("/sampler", fmt::format("expected null, as this model samples in one pass and walks with no "
                                         "sampler, got {} (leave out the sampler and its steps)",
                                         request.sampler.type));
  if (dtype != at::kFloat)
    mistakes.add(
        "/precision",
        fmt::format("expected \"fp32\", in which this model samples, got \"{}\" (it is for networks that "
                    "a sampler calls many times)",
                    dtype == at::kBFloat16 ? "bf16" : c10::toString(dtype)));
  mistakes.throw_if_any();
}

at::Tensor labels_for(const SampleRequest& request, int64_t num_classes) {
  if (num_classes == 0) {
    if (request.labels)
      throw ConfigError(
          "labels: expected none, as the model is not conditional (model.conditional), got some");
    return {};
  }
  std::vector<int64_t> labels = request.labels.value_or(std::vector<int64_t>());
  if (!request.labels)
    for (int64_t i = 0; i < request.count; ++i) labels.push_back((request.first_index + i) % num_classes);
  if (static_cast<int64_t>(labels.size()) != request.count)
    throw ConfigError(fmt::format("labels: expected {} of them, got {}", request.count, labels.size()));
  for (const int64_t label : labels)
    if (label < 0 || label >= num_classes)
      throw ConfigError(fmt::format("labels: expected values in [0, {}], got {}", num_classes - 1, label));
  return torch::tensor(labels, at::kLong).to(request.device);  // [N]
}

std::vector<std::pair<std::string, int64_t>> parameter_counts(const torch::nn::Module& module) {
  const auto trainable = [](const torch::nn::Module& part, bool recurse) {
    int64_t count = 0;
    for (const auto& parameter : part.parameters(recurse))
      if (parameter.requires_grad()) count += parameter.numel();
    return count;
  };
  std::vector<std::pair<std::string, int64_t>> counts;
  if (const int64_t own = trainable(module, false); own > 0) counts.emplace_back("", own);
  for (const auto& child : module.named_children())
    counts.emplace_back(child.key(), trainable(*child.value(), true));
  return counts;
}

}  // namespace gen
