#include "gen/core/error.h"
#include "gen/nn/named_inputs.h"
#include "gen/nn/network.h"

namespace gen {

TensorMap forward_by_name(DenoisingNetwork& network, const TensorMap& inputs) {
  const auto find = [&](const char* name) {
    const auto found = inputs.find(name);
    return found == inputs.end() ? at::Tensor() : found->second;
  };
  const at::Tensor sample = find("sample");
  const at::Tensor timestep = find("timestep");
  if (!sample.defined() || !timestep.defined())
    throw DataError(
        fmt::format("expected the tensors sample, timestep and, where the network is conditioned on "
                    "them, class_labels, got {}",
                    names_of(inputs)));
  const auto dtype = network.parameters().front().scalar_type();
  const auto x = examples_input("sample", sample, network.input_shape(), dtype);
  const int64_t count = x.size(0);  // B
  const auto t = numbers_input("timestep", timestep, count);
  at::Tensor labels = find("class_labels");
  if (labels.defined() && network.num_classes() > 0)
    labels = classes_input("class_labels", labels, count, network.num_classes());
  else if (labels.defined() && labels.dim() == 0)
    labels = labels.expand({count});
  return {{"out", network.forward(x, t, labels)}};
}

}  // namespace gen
