#include "gen/ops/ema_update.h"

#include <torch/torch.h>

#include "gen/core/check.h"
#include "gen/core/device.h"

namespace gen::ops {
namespace {

void check(const std::vector<at::Tensor>& averages, const std::vector<at::Tensor>& values) {
  if (averages.size() != values.size())
    throw ShapeError(fmt::format("ema_update_: {} averages but {} values", averages.size(), values.size()));
  for (size_t i = 0; i < averages.size(); ++i)
    if (!averages[i].sizes().equals(values[i].sizes()))
      throw ShapeError(fmt::format("ema_update_: average {} is [{}] but its value is [{}]", i,
                                   fmt::join(averages[i].sizes(), ", "), fmt::join(values[i].sizes(), ", ")));
}

bool plain(const at::Tensor& x) { return x.scalar_type() == at::kFloat && x.is_non_overlapping_and_dense(); }

// True when our kernel took the work.
bool update_on_cuda(const std::vector<at::Tensor>& averages, const std::vector<at::Tensor>& values,
                    double weight) {
  static const auto launch = reinterpret_cast<EmaUpdateLauncher>(cuda_symbol(kEmaUpdateSymbol));
  if (launch == nullptr) return false;
  std::vector<float*> to;
  std::vector<const float*> from;
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < averages.size(); ++i) {
    if (!plain(averages[i]) || !plain(values[i]) || !averages[i].strides().equals(values[i].strides()))
      return false;
    to.push_back(averages[i].mutable_data_ptr<float>());
    from.push_back(values[i].data_ptr<float>());
    sizes.push_back(averages[i].numel());
  }
  // gen computes on the default stream.
  const int error = launch(to.data(), from.data(), sizes.data(), static_cast<int>(sizes.size()),
                           static_cast<float>(weight), nullptr);
  GEN_CHECK(error == 0, "the EMA kernel failed with CUDA error {}", error);
  return true;
}

}  // namespace

void ema_update_(const std::vector<at::Tensor>& averages, const std::vector<at::Tensor>& values,
                 double weight) {
  check(averages, values);
  if (averages.empty()) return;
  torch::NoGradGuard no_grad;
  if (averages.front().is_cuda() && update_on_cuda(averages, values, weight)) return;
  at::_foreach_lerp_(averages, values, weight);
}

}  // namespace gen::ops
