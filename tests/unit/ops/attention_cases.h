// Random attention problems, and attention by its definition, element by element in float64.
#pragma once

#include <torch/torch.h>

#include <cmath>
#include <random>
#include <vector>

#include "gen/ops/attention.h"
#include "gen/ops/flash/philox.h"

namespace gen::test {

struct AttentionCase {
  at::Tensor q, k, v;
  ops::AttentionOptions options;
};

/// [B, H, L, D] in one of the layouts that networks hand over: contiguous, heads merged, or cut out of a larger tensor.
inline at::Tensor random_heads(std::mt19937& random, at::IntArrayRef sizes, at::ScalarType dtype) {
  const int64_t B = sizes[0], H = sizes[1], L = sizes[2], D = sizes[3];
  switch (random() % 3) {
    case 0:
      return torch::randn(sizes, dtype);
    case 1:
      return torch::randn({B, L, H, D}, dtype).transpose(1, 2);
    default:
      return torch::randn({B, H, L + 1, D + 3}, dtype).slice(2, 1).slice(3, 2, D + 2);
  }
}

inline AttentionCase random_case(std::mt19937& random, at::ScalarType dtype = at::kFloat) {
  const auto pick = [&](std::initializer_list<int64_t> values) {
    return values.begin()[random() % values.size()];
  };
  const auto chance = [&](unsigned one_in) { return random() % one_in == 0; };
  const auto up_to = [&](int64_t n) { return 1 + static_cast<int64_t>(random() % static_cast<uint64_t>(n)); };
  const int64_t kv_heads = pick({1, 2}), heads = kv_heads * pick({1, 1, 3}), B = pick({1, 2});
  const int64_t lq = pick({1, up_to(20), up_to(20), up_to(120)}),
                lk = pick({lq, 1, up_to(40), up_to(330), 256 + up_to(80)});
  const int64_t D = pick({1, 8, 16, 20, 32, 40, 64, 72, 80, up_to(96)});
  AttentionCase c{random_heads(random, {B, heads, lq, D}, dtype),
                  random_heads(random, {B, kv_heads, lk, D}, dtype),
                  random_heads(random, {B, kv_heads, lk, D}, dtype),
                  {}};
  auto& o = c.options;
  if (chance(3)) o.scale = 0.3;
  o.causal = chance(3);
  if (chance(2)) o.alignment = ops::Alignment::top_left;
  if (chance(5)) o.window_left = static_cast<int64_t>(random() % 30);
  if (chance(5)) o.window_right = static_cast<int64_t>(random() % 30);
  if (chance(4)) o.key_padding_mask = torch::rand({B, lk}).gt(0.3);
  if (chance(4)) o.bias = torch::randn({pick({1, B}), pick({1, heads}), pick({1, lq}), pick({1, lk})}, dtype);
  if (chance(6)) o.alibi_slopes = 0.1 * (chance(2) ? torch::rand({heads}) : torch::rand({B, heads}));
  if (chance(5)) o.softcap = 2.5;
  if (chance(5)) {
    o.dropout = 0.3;
    o.seed = static_cast<int64_t>(random());
    o.offset = 7;
  }
  return c;
}

/// One number for each (row, key): whether the key is seen, and the score.
template <class Body>
void each_seen_score(const AttentionCase& c, int64_t b, int64_t h, int64_t i, const Body& body) {
  const auto& o = c.options;
  const int64_t lq = c.q.size(2), lk = c.k.size(2), D = c.q.size(3), kv = h / (c.q.size(1) / c.k.size(1));
  const auto q = c.q.to(at::kDouble), k = c.k.to(at::kDouble);
  const int64_t diagonal = o.alignment == ops::Alignment::bottom_right ? lk - lq : 0;
  const auto row = q[b][h][i].contiguous();
  const auto keys = k[b][kv].contiguous();
  for (int64_t j = 0; j < lk; ++j) {
    const int64_t place = i + diagonal;
    if (o.causal && j > place) continue;
    if (o.window_left && j < place - *o.window_left) continue;
    if (o.window_right && j > place + *o.window_right) continue;
    if (o.key_padding_mask.defined() && !o.key_padding_mask[b][j].item<bool>()) continue;
    double s = 0;
    for (int64_t d = 0; d < D; ++d) s += row.data_ptr<double>()[d] * keys.data_ptr<double>()[j * D + d];
    s *= o.scale.value_or(1 / std::sqrt(static_cast<double>(D)));
    if (o.softcap > 0) s = o.softcap * std::tanh(s / o.softcap);
    if (o.bias.defined()) s += o.bias.expand({c.q.size(0), c.q.size(1), lq, lk})[b][h][i][j].item<double>();
    if (o.alibi_slopes.defined())
      s -= o.alibi_slopes.expand({c.q.size(0), c.q.size(1)})[b][h].item<double>() *
           static_cast<double>(std::abs(place - j));
    body(j, s);
  }
}

/// By the definition, [B, H, Lq, D] and the log-sum-exp [B, H, Lq]: float64.
inline std::pair<at::Tensor, at::Tensor> by_definition(const AttentionCase& c) {
  const int64_t B = c.q.size(0), H = c.q.size(1), lq = c.q.size(2);
  const auto v = c.v.to(at::kDouble);
  const auto out = at::zeros({B, H, lq, c.q.size(3)}, at::kDouble), lse = at::zeros({B, H, lq}, at::kDouble);
  const ops::flash::Dropout dropout{static_cast<float>(c.options.dropout),
                                    static_cast<uint64_t>(c.options.seed),
                                    static_cast<uint32_t>(c.options.offset)};
  for (int64_t b = 0; b < B; ++b)
    for (int64_t h = 0; h < H; ++h)
      for (int64_t i = 0; i < lq; ++i) {
        double sum = 0;
        each_seen_score(c, b, h, i, [&](int64_t, double s) { sum += std::exp(s); });
        lse[b][h][i] = std::log(sum);
        each_seen_score(c, b, h, i, [&](int64_t j, double s) {
          double p = std::exp(s) / sum;
          if (dropout.active())
            p *= dropout.keeps(static_cast<uint32_t>(i), static_cast<uint32_t>(j),
                               static_cast<uint32_t>(b * H + h))
                     ? 1.0 / (1.0 - c.options.dropout)
                     : 0.0;
          out[b][h][i] += p * v[b][h / (H / c.k.size(1))][j];
        });
      }
  return {out, lse};
}

/// c in another dtype (the mask stays).
inline AttentionCase in_dtype(const AttentionCase& c, at::ScalarType dtype) {
  AttentionCase other{c.q.to(dtype), c.k.to(dtype), c.v.to(dtype), c.options};
  if (c.options.bias.defined()) other.options.bias = c.options.bias.to(dtype);
  return other;
}

}  // namespace gen::test
