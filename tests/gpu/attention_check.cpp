// Attention on whatever device there is: `attention_check MODE [--device D] [--count N] [--small]`, one JSON
// object on stdout, exit 1 where something is wrong. scripts/gpu_check.sh runs it from the bundle.
//   fuzz         random shapes, strides, dtypes and options against the definition in float64, values and gradients
//   determinism  N runs of forward and backward, equal bit for bit
//   bench        our op and each backend of torch's scaled_dot_product_attention, forward and forward + backw
#include <torch/torch.h>

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "attention_bench.h"
#include "gen/core/device.h"
#include "gen/ops/attention.h"

namespace {

using Json = nlohmann::json;

struct Flags {
  std::string mode, device = "auto";
  int64_t count = 200;
  bool small = false;
};

Flags read_flags(int argc, char** argv) {
  Flags flags;
  flags.mode = argc > 1 ? argv[1] : "";
  for (int i = 2; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--small")
      flags.small = true;
    else if (name == "--device" && i + 1 < argc)
      flags.device = argv[++i];
    else if (name == "--count" && i + 1 < argc)
      flags.count = std::stoll(argv[++i]);
    else
      throw std::invalid_argument("unknown flag " + name);
  }
  return flags;
}

/// A tensor [B, H, L, D], contiguous, as a view of [B, L, H, D], or with unused columns between rows.
at::Tensor random_tensor(std::mt19937_64& random, at::IntArrayRef s, const at::TensorOptions& options) {
  switch (random() % 3) {
    case 0:
      return at::randn(s, options);
    case 1:
      return at::randn({s[0], s[2], s[1], s[3]}, options).transpose(1, 2);
    default:
      return at::randn({s[0], s[1], s[2], s[3] + 8}, options).narrow(3, 0, s[3]);
  }
}

/// out and the gradients of sum(out * direction) with respect to q, k and v.
template <typename Attention>
std::vector<at::Tensor> values_and_gradients(const std::vector<at::Tensor>& inputs,
                                             const at::Tensor& direction, Attention attention) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& each : inputs) leaves.push_back(each.detach().requires_grad_());
  const at::Tensor out = attention(leaves[0], leaves[1], leaves[2]);
  auto result = torch::autograd::grad({out}, leaves, {direction});
  result.insert(result.begin(), out.detach());
  return result;
}

at::Tensor formula(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const double scale = 1 / std::sqrt(static_cast<double>(q.size(3)));
  const int64_t group = q.size(1) / k.size(1);
  const auto keys = k.repeat_interleave(group, 1), values = v.repeat_interleave(group, 1);
  return at::matmul(at::softmax(at::matmul(q, keys.transpose(2, 3)) * scale, 3), values);
}

at::Tensor ours(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  return gen::ops::attention(q, k, v, {.path = gen::ops::AttentionPath::fused});
}

struct Shape {
  int64_t batch, heads, kv_heads, lq, lk, dim;
};

/// Half of the problems are plain; the others have some of the contract's options. Tensors lie on the CPU, in float64.
gen::ops::AttentionOptions random_options(std::mt19937_64& random, const Shape& s) {
  const auto one_in = [&](uint64_t n) { return random() % n == 0; };
  gen::ops::AttentionOptions o;
  o.causal = one_in(3);
  if (one_in(2)) return o;
  if (one_in(3)) o.alignment = gen::ops::Alignment::top_left;
  if (one_in(4)) o.window_left = static_cast<int64_t>(random() % 60);
  if (one_in(4)) o.key_padding_mask = at::rand({s.batch, s.lk}).gt(0.2);
  if (one_in(4))
    o.bias = at::randn({one_in(2) ? 1 : s.batch, one_in(2) ? 1 : s.heads, s.lq, one_in(4) ? 1 : s.lk},
                       at::kDouble);
  if (one_in(5)) o.alibi_slopes = 0.1 * at::rand({s.heads});
  if (one_in(5)) o.softcap = 3;
  if (one_in(5)) o.dropout = 0.2;
  o.deterministic = one_in(2);
  return o;
}
gen::ops::AttentionOptions on(at::Device device, at::ScalarType dtype, gen::ops::AttentionOptions o) {
  if (o.key_padding_mask.defined()) o.key_padding_mask = o.key_padding_mask.to(device);
  if (o.bias.defined()) o.bias = o.bias.to(device, dtype);
  if (o.alibi_slopes.defined()) o.alibi_slopes = o.alibi_slopes.to(device);
  return o;
}
bool plain(const gen::ops::AttentionOptions& o) {
  return !o.causal && !o.window_left && !o.key_padding_mask.defined() && !o.bias.defined() &&
         !o.alibi_slopes.defined() && o.softcap == 0 && o.dropout == 0;
}

/// Frobenius norm of the difference over that of `expected`, or over that of a tensor of 0.1 where `expected` is
/// smaller: with one key the gradients of q and k are nothing but rounding.
double relative_error(const at::Tensor& got, const at::Tensor& expected) {
  const double least = 0.1 * std::sqrt(static_cast<double>(expected.numel()));
  const double difference = (got.to(at::kCPU, at::kDouble) - expected).norm().item<double>();
  return difference / std::max(expected.norm().item<double>(), least);
}

/// What a 16-bit kernel may differ by beyond twice the formula's own error. Its backward takes D = sum(dO O) from the
/// rounded O, which shows where the gradients cancel, as they do entirely with one key.
double allowance(at::ScalarType dtype, int64_t lk) {
  if (dtype == at::kFloat) return lk == 1 ? 1e-4 : 2e-6;
  return lk == 1 ? 0.1 : 1e-3;
}

/// One random problem; its description with the errors of out, dq, dk and dv where one is too large, else
/// null.
Json fuzz_one(uint64_t seed, at::Device device, double& worst) {
  std::mt19937_64 random(seed);
  at::manual_seed(seed);
  const auto pick = [&](const std::vector<int64_t>& from) { return from[random() % from.size()]; };
  const at::ScalarType dtype = std::array{at::kFloat, at::kBFloat16, at::kHalf}[random() % 3];
  Shape s{};
  s.batch = 1 + static_cast<int64_t>(random() % 3);
  s.heads = 1 + static_cast<int64_t>(random() % 4);
  s.kv_heads = random() % 3 == 0 ? 1 : s.heads;
  s.dim = pick({32, 40, 64, 72, 80, 96, 128, 160, 256, 24, 100});
  s.lq = 1 + static_cast<int64_t>(random() % 300);
  s.lk = random() % 4 == 0 ? pick({1, 77, 128}) : 1 + static_cast<int64_t>(random() % 300);
  const auto options = at::TensorOptions().dtype(dtype).device(device);
  const std::vector<at::Tensor> inputs = {random_tensor(random, {s.batch, s.heads, s.lq, s.dim}, options),
                                          random_tensor(random, {s.batch, s.kv_heads, s.lk, s.dim}, options),
                                          random_tensor(random, {s.batch, s.kv_heads, s.lk, s.dim}, options)};
  const at::Tensor direction = at::randn({s.batch, s.heads, s.lq, s.dim}, options);
  // What the bias holds after rounding to the inputs' dtype is what float64 sees, too.
  auto asked = on(at::kCPU, at::kDouble, on(at::kCPU, dtype, random_options(random, s)));
  std::vector<at::Tensor> exact_inputs;
  for (const at::Tensor& each : inputs) exact_inputs.push_back(each.to(at::kCPU, at::kDouble));
  const at::Tensor exact_direction = direction.to(at::kCPU, at::kDouble);
  const auto by_path = [](gen::ops::AttentionOptions o, gen::ops::AttentionPath path) {
    o.path = path;
    return [o](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
      return gen::ops::attention(q, k, v, o);
    };
  };
  const auto exact =
      values_and_gradients(exact_inputs, exact_direction, by_path(asked, gen::ops::AttentionPath::reference));
  const auto got = values_and_gradients(inputs, direction,
                                        by_path(on(device, dtype, asked), gen::ops::AttentionPath::fused));
  // The yardstick: softmax(q k^T) v of torch's operations in the same dtype.
  const auto full = values_and_gradients(exact_inputs, exact_direction, formula);
  const auto same_dtype = values_and_gradients(inputs, direction, formula);
  Json errors = Json::array();
  bool wrong = false;
  for (size_t i = 0; i < got.size(); ++i) {
    const double error = relative_error(got[i], exact[i]);
    // The rule of the flash-attention tests: at most twice the error of the formula in the same dtype; three times with
    // options, which leave fewer keys to a row.
    const double allowed = (plain(asked) ? 2 : 3) * relative_error(same_dtype[i], full[i]) +
                           (plain(asked) ? 1 : 5) * allowance(dtype, s.lk);
    wrong = wrong || !(error <= allowed);
    worst = std::max(worst, error / allowed);
    errors.push_back({{"error", error}, {"allowed", allowed}});
  }
  if (!wrong) return nullptr;
  return {{"seed", seed},
          {"dtype", c10::toString(dtype)},
          {"shape", {s.batch, s.heads, s.kv_heads, s.lq, s.lk, s.dim}},
          {"plain", plain(asked)},
          {"errors", errors}};
}

Json fuzz(const Flags& flags, at::Device device) {
  Json failures = Json::array();
  double worst = 0;
  for (int64_t seed = 0; seed < flags.count; ++seed)
    if (Json failure = fuzz_one(static_cast<uint64_t>(seed), device, worst); !failure.is_null())
      failures.push_back(std::move(failure));
  return {{"cases", flags.count},
          {"seeds", "0 .. cases - 1"},
          {"worst_error_over_allowed", worst},
          {"failures", failures},
          {"ok", failures.empty()}};
}

Json determinism(const Flags& flags, at::Device device) {
  Json problems = Json::array();
  for (const int64_t dim : {40, 64, 128}) {
    at::manual_seed(static_cast<uint64_t>(dim));
    const auto options = at::TensorOptions().dtype(at::kBFloat16).device(device);
    const int64_t length = flags.small ? 100 : 1000;
    const std::vector<at::Tensor> inputs = {at::randn({2, 4, length, dim}, options),
                                            at::randn({2, 4, length + 23, dim}, options),
                                            at::randn({2, 4, length + 23, dim}, options)};
    const at::Tensor direction = at::randn({2, 4, length, dim}, options);
    const auto first = values_and_gradients(inputs, direction, ours);
    for (int64_t run = 1; run < flags.count; ++run) {
      const auto again = values_and_gradients(inputs, direction, ours);
      for (size_t i = 0; i < first.size(); ++i)
        if (!at::equal(first[i], again[i])) problems.push_back({{"dim", dim}, {"run", run}, {"tensor", i}});
    }
  }
  return {{"runs", flags.count}, {"differences", problems}, {"ok", problems.empty()}};
}

Json run(const Flags& flags) {
  const at::Device device = gen::resolve_device(flags.device);
  Json result;
  if (flags.mode == "fuzz")
    result = fuzz(flags, device);
  else if (flags.mode == "determinism")
    result = determinism(flags, device);
  else if (flags.mode == "bench")
    result = {{"rows", gen::bench_attention(device, flags.small)}, {"ok", true}};
  else
    throw std::invalid_argument("expected fuzz, determinism or bench, got \"" + flags.mode + "\"");
  result["mode"] = flags.mode;
  result["device"] = device.str();
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Json result = run(read_flags(argc, argv));
    std::printf("%s\n", result.dump(2).c_str());
    return result["ok"].get<bool>() ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "attention_check: %s\n", error.what());
    return 2;
  }
}
