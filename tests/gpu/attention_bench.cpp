#include "attention_bench.h"

#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "gen/ops/attention.h"

namespace gen {
namespace {

struct Shape {
  int64_t batch, heads, lq, lk, dim;
};

/// Self-attention with 16 k tokens in all, then what text-to-image networks ask for: D = 40, 72, 80, 160, Lk
/// = 77.
std::vector<Shape> shapes(bool small) {
  if (small) return {{1, 2, 256, 256, 64}, {1, 2, 256, 77, 40}};
  std::vector<Shape> all;
  for (const int64_t dim : {64, 128, 256})
    for (const int64_t length : {1024, 4096, 16384})
      all.push_back({16384 / length, 2048 / dim, length, length, dim});
  for (const int64_t dim : {40, 80, 160})
    all.push_back({8, 8, dim == 40 ? 4096 : dim == 80 ? 1024 : 256, 77, dim});
  all.push_back({8, 8, 4096, 4096, 40});
  all.push_back({16, 16, 256, 256, 72});
  return all;
}

struct Backend {
  std::string name;
  bool flash, efficient, cudnn, math;
};
const std::vector<Backend>& torch_backends() {
  static const std::vector<Backend> all = {{"default", true, true, true, true},
                                           {"cudnn", false, false, true, false},
                                           {"flash", true, false, false, false},
                                           {"efficient", false, true, false, false},
                                           {"math", false, false, false, true}};
  return all;
}
void allow(const Backend& b) {
  auto& context = at::globalContext();
  context.setSDPUseFlash(b.flash);
  context.setSDPUseMemEfficient(b.efficient);
  context.setSDPUseCuDNN(b.cudnn);
  context.setSDPUseMath(b.math);
}

/// Milliseconds of one call: the median of `kGroups` groups, each long enough for the clock.
double median_ms(at::Device device, const std::function<void()>& call) {
  using Clock = std::chrono::steady_clock;
  constexpr int kGroups = 9;
  const auto wait = [&] {
    if (device.is_cuda()) c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index());
  };
  const auto time = [&](int calls) {
    wait();
    const auto begin = Clock::now();
    for (int i = 0; i < calls; ++i) call();
    wait();
    return std::chrono::duration<double, std::milli>(Clock::now() - begin).count() / calls;
  };
  time(2);
  const int calls = std::clamp(static_cast<int>(20 / (time(1) + 1e-3)), 1, 200);
  std::vector<double> groups;
  for (int i = 0; i < kGroups; ++i) groups.push_back(time(calls));
  std::nth_element(groups.begin(), groups.begin() + kGroups / 2, groups.end());
  return groups[kGroups / 2];
}

using Attention = std::function<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&)>;

nlohmann::json measure(at::Device device, const Shape& s, const std::string& backend,
                       const Attention& attention) {
  nlohmann::json row = {{"shape", {s.batch, s.heads, s.lq, s.lk, s.dim}}, {"backend", backend}};
  const auto options =
      at::TensorOptions().device(device).dtype(device.is_cuda() ? at::kBFloat16 : at::kFloat);
  at::manual_seed(1);
  const auto q = at::randn({s.batch, s.heads, s.lq, s.dim}, options).requires_grad_();
  const auto k = at::randn({s.batch, s.heads, s.lk, s.dim}, options).requires_grad_();
  const auto v = at::randn({s.batch, s.heads, s.lk, s.dim}, options).requires_grad_();
  const auto direction = at::randn({s.batch, s.heads, s.lq, s.dim}, options);
  try {
    const double forward = median_ms(device, [&] {
      const at::NoGradGuard no_grad;
      attention(q, k, v);
    });
    row["forward_ms"] = forward;
    row["forward_tflops"] = 4e-9 * static_cast<double>(s.batch * s.heads * s.lq * s.lk * s.dim) / forward;
    row["backward_ms"] =
        median_ms(device, [&] { torch::autograd::grad({attention(q, k, v)}, {q, k, v}, {direction}); });
  } catch (const std::exception& error) {
    const std::string why = error.what();
    row["refused"] = why.substr(0, why.find('\n'));
  }
  return row;
}

}  // namespace

nlohmann::json bench_attention(at::Device device, bool small) {
  nlohmann::json rows = nlohmann::json::array();
  for (const Shape& shape : shapes(small)) {
    rows.push_back(measure(device, shape, "gen", [](const auto& q, const auto& k, const auto& v) {
      return ops::attention(q, k, v);
    }));
    for (const Backend& backend : torch_backends()) {
      allow(backend);
      rows.push_back(
          measure(device, shape, "torch " + backend.name, [](const auto& q, const auto& k, const auto& v) {
            return at::scaled_dot_product_attention(q, k, v);
          }));
      allow(torch_backends().front());
    }
  }
  return rows;
}

}  // namespace gen
