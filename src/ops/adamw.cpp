#include "gen/ops/adamw.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "gen/core/check.h"
#include "gen/core/parallel.h"
#include "ops/adamw_fused.h"
#include "ops/cuda_launch.h"

namespace gen::ops {
namespace cpu {
namespace {

simd::AdamStep constants_of(const AdamWTensor& tensor, const AdamWArgs& args) {
  const auto t = static_cast<double>(*pointer<float>(tensor.step));
  const auto narrow = [](double x) { return static_cast<float>(x); };
  return {.gradient_scale = narrow(args.gradient_scale),
          .decay = narrow(1 - args.learning_rate * tensor.weight_decay),
          .mean_weight = narrow(1 - args.beta1),
          .square_weight = narrow(1 - args.beta2),
          .step_size = narrow(args.learning_rate / (1 - std::pow(args.beta1, t))),
          .root_correction = narrow(1 / std::sqrt(1 - std::pow(args.beta2, t))),
          .eps = narrow(args.eps),
          .average_weight = narrow(args.average_weight)};
}

struct Pointers {
  float *parameter, *mean, *square, *average;
  const float* gradient;
  simd::AdamStep step;
};

}  // namespace

void adamw(const std::vector<AdamWTensor>& tensors, const AdamWArgs& args, const simd::Kernels& kernels) {
  std::vector<Pointers> all;
  std::vector<int64_t> first{0};  // elements before each tensor, as if they lay one after the other
  for (const auto& t : tensors) {
    all.push_back({pointer<float>(t.parameter), pointer<float>(t.mean), pointer<float>(t.square),
                   pointer<float>(t.average), pointer<float>(t.gradient), constants_of(t, args)});
    first.push_back(first.back() + t.parameter.numel());
  }
  constexpr int64_t kLeastElements = 16384;  // fewer are not worth a thread
  parallel_for(0, first.back(), kLeastElements, [&](int64_t begin, int64_t end) {
    auto i = static_cast<size_t>(std::upper_bound(first.begin(), first.end(), begin) - first.begin()) - 1;
    for (; i < all.size() && first[i] < end; ++i) {
      const Pointers& p = all[i];
      const int64_t from = std::max(begin, first[i]) - first[i], to = std::min(end, first[i + 1]) - first[i];
      kernels.adam->update(p.parameter + from, p.gradient + from, p.mean + from, p.square + from,
                           p.average ? p.average + from : nullptr, to - from, p.step);
    }
  });
}

}  // namespace cpu

namespace cuda {

void adamw(const std::vector<AdamWTensor>& tensors, const AdamWArgs& args, fused::AdamLauncher launch_on) {
  const auto launcher_used = launch_on ? launch_on : launcher<fused::AdamLauncher>(fused::kAdamSymbol);
  for (size_t begin = 0; begin < tensors.size(); begin += fused::kAdamTensors) {
    fused::AdamList list{};
    list.hyper = {args.learning_rate,
                  args.beta1,
                  args.beta2,
                  static_cast<float>(args.eps),
                  static_cast<float>(args.gradient_scale),
                  static_cast<float>(args.average_weight)};
    list.count = static_cast<int>(std::min<size_t>(fused::kAdamTensors, tensors.size() - begin));
    for (int i = 0; i < list.count; ++i) {
      const AdamWTensor& t = tensors[begin + static_cast<size_t>(i)];
      list.parameter[i] = pointer<float>(t.parameter);
      list.gradient[i] = pointer<float>(t.gradient);
      list.mean[i] = pointer<float>(t.mean);
      list.square[i] = pointer<float>(t.square);
      list.step[i] = pointer<float>(t.step);
      list.average[i] = pointer<float>(t.average);
      list.weight_decay[i] = t.weight_decay;
      list.size[i] = t.parameter.numel();
      list.first_block[i + 1] =
          list.first_block[i] + (list.size[i] + fused::kAdamPerBlock - 1) / fused::kAdamPerBlock;
    }
    launch(launcher_used, list, "adamw_");
  }
}

}  // namespace cuda

namespace {

void check_adamw(const std::vector<AdamWTensor>& tensors) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    const auto& t = tensors[i];
    GEN_CHECK(
        adamw_supported(t.parameter) && t.parameter.device() == tensors.front().parameter.device(),
        "adamw_: parameter {} is {} on {}, which adamw_supported() refuses or which differs from the first",
        i, c10::toString(t.parameter.scalar_type()), t.parameter.device().str());
    const auto fits = [&](const at::Tensor& other) {
      return other.sizes() == t.parameter.sizes() && other.strides() == t.parameter.strides() &&
             other.scalar_type() == at::kFloat && other.device() == t.parameter.device();
    };
    for (const auto& [name, other] : {std::pair{"gradient", &t.gradient}, std::pair{"mean", &t.mean},
                                      std::pair{"square", &t.square}, std::pair{"average", &t.average}})
      if ((other->defined() || other != &t.average) && !fits(*other))
        throw ShapeError(
            fmt::format("adamw_: parameter {} is [{}] with strides [{}] but its {} is {} [{}] with [{}]", i,
                        fmt::join(t.parameter.sizes(), ", "), fmt::join(t.parameter.strides(), ", "), name,
                        c10::toString(other->scalar_type()), fmt::join(other->sizes(), ", "),
                        fmt::join(other->strides(), ", ")));
    GEN_CHECK(
        t.step.numel() == 1 && t.step.scalar_type() == at::kFloat && t.step.device() == t.parameter.device(),
        "adamw_: the step of parameter {} is not a float32 scalar on its device", i);
  }
}

}  // namespace

bool adamw_supported(const at::Tensor& parameter) {
  const auto on_cuda = [] {
    static const bool found = cuda_symbol(fused::kAdamSymbol) != nullptr;
    return found;
  };
  return parameter.scalar_type() == at::kFloat && parameter.is_non_overlapping_and_dense() &&
         (parameter.is_cpu() || (parameter.is_cuda() && on_cuda()));
}

void adamw_(const std::vector<AdamWTensor>& tensors, const AdamWArgs& args) {
  if (tensors.empty()) return;
  check_adamw(tensors);
  for (const auto& t : tensors)
    for (const auto* written : {&t.parameter, &t.mean, &t.square, &t.average})
      if (written->defined()) written->unsafeGetTensorImpl()->bump_version();
  if (tensors.front().parameter.is_cuda())
    cuda::adamw(tensors, args);
  else
    cpu::adamw(tensors, args);
}

}  // namespace gen::ops
