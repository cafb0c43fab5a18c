#include "ops/attention/call.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "gen/core/error.h"

namespace gen::ops {
namespace {

std::string shape(const at::Tensor& x) { return fmt::format("[{}]", fmt::join(x.sizes(), ", ")); }

void check_operands(const AttentionCall& c) {
  const auto &q = c.q, &k = c.k, &v = c.v;
  const int64_t dims = c.is_packed() ? 3 : 4;
  const int64_t last = dims - 1;
  const bool fits = q.dim() == dims && k.dim() == dims && k.sizes() == v.sizes() &&
                    (c.is_packed() || q.size(0) == k.size(0)) && q.size(last) == k.size(last) &&
                    k.size(1) > 0 && q.size(1) % k.size(1) == 0;
  if (!fits)
    throw ShapeError(
        fmt::format("attention: expected q {} and k, v {} with Hkv dividing H, got q {}, k {}, v {}",
                    c.is_packed() ? "[total_q, H, D]" : "[B, H, Lq, D]",
                    c.is_packed() ? "[total_k, Hkv, D]" : "[B, Hkv, Lk, D]", shape(q), shape(k), shape(v)));
  if (!q.is_floating_point() || k.scalar_type() != q.scalar_type() || v.scalar_type() != q.scalar_type() ||
      k.device() != q.device() || v.device() != q.device())
    throw ShapeError(
        fmt::format("attention: expected q, k and v of one floating dtype on one device, got {} on {}, {} on "
                    "{}, {} on {}",
                    toString(q.scalar_type()), q.device().str(), toString(k.scalar_type()), k.device().str(),
                    toString(v.scalar_type()), v.device().str()));
}

void check_range(const AttentionCall& c) {
  const auto& o = c.options;
  const auto expect = [](bool holds, const char* name, const char* range, double got) {
    if (!holds) throw ConfigError(fmt::format("attention: {}: expected {}, got {}", name, range, got));
  };
  expect(o.dropout >= 0 && o.dropout < 1, "dropout", "a probability in [0, 1)", o.dropout);
  expect(o.softcap >= 0 && std::isfinite(o.softcap), "softcap", "a number >= 0", o.softcap);
  expect(!o.scale || std::isfinite(*o.scale), "scale", "a finite number", o.scale.value_or(0));
  expect(o.window_left.value_or(0) >= 0, "window_left", "a number of keys >= 0",
         double(o.window_left.value_or(0)));
  expect(o.window_right.value_or(0) >= 0, "window_right", "a number of keys >= 0",
         double(o.window_right.value_or(0)));
  expect(o.offset >= 0 && o.offset <= int64_t{0xffffffff}, "offset", "an integer in [0, 2^32)",
         double(o.offset));
}

void check_masks(const AttentionCall& c) {
  const auto& o = c.options;
  if (const auto& m = o.key_padding_mask; m.defined()) {
    if (c.is_packed() || c.used_k.defined())
      throw ConfigError(
          "attention: key_padding_mask: expected none, as lengths already say which keys there are, got one");
    if (m.scalar_type() != at::kBool || m.sizes() != at::IntArrayRef({c.batch(), c.lk()}) ||
        m.device() != c.q.device())
      throw ShapeError(
          fmt::format("attention: key_padding_mask: expected bool [{}, {}] on {}, got {} {} on {}", c.batch(),
                      c.lk(), c.q.device().str(), toString(m.scalar_type()), shape(m), m.device().str()));
  }
  if (const auto& b = o.bias; b.defined()) {
    const std::array full{c.batch(), c.heads(), c.lq(), c.lk()};
    bool fits = b.dim() <= 4 && b.is_floating_point() && b.device() == c.q.device();
    for (int64_t i = 0; fits && i < b.dim(); ++i) {
      const int64_t size = b.size(b.dim() - 1 - i);
      fits = size == 1 || size == full[static_cast<size_t>(3 - i)];
    }
    if (!fits)
      throw ShapeError(fmt::format(
          "attention: bias: expected a floating tensor that broadcasts to [{}] on {}, got {} {} on {}",
          fmt::join(full, ", "), c.q.device().str(), toString(b.scalar_type()), shape(b), b.device().str()));
  }
  if (const auto& a = o.alibi_slopes; a.defined()) {
    const bool fits =
        (a.sizes() == at::IntArrayRef({c.heads()}) || a.sizes() == at::IntArrayRef({c.batch(), c.heads()})) &&
        a.is_floating_point() && a.device() == c.q.device();
    if (!fits)
      throw ShapeError(fmt::format(
          "attention: alibi_slopes: expected floating [{1}] or [{0}, {1}] on {2}, got {3} {4} on {5}",
          c.batch(), c.heads(), c.q.device().str(), toString(a.scalar_type()), shape(a), a.device().str()));
    if (a.requires_grad())
      throw ConfigError("attention: alibi_slopes: expected constants, got a tensor that requires a gradient");
  }
}

void check_packed(const AttentionCall& c) {
  const auto one = [&](const at::Tensor& cu, const at::Tensor& rows, int64_t longest, const char* name) {
    const auto device = c.q.device();
    if (cu.scalar_type() != at::kInt || cu.dim() != 1 || cu.size(0) < 1 || cu.device() != device)
      throw ShapeError(fmt::format("attention: {}: expected int32 [B + 1] on {}, got {} {} on {}", name,
                                   device.str(), toString(cu.scalar_type()), shape(cu), cu.device().str()));
    if (!cu.is_cpu()) return;  // reading it would wait for the device
    const auto values = cu.accessor<int32_t, 1>();
    bool fits = values[0] == 0 && values[cu.size(0) - 1] == rows.size(0);
    for (int64_t b = 0; fits && b + 1 < cu.size(0); ++b) fits = values[b] <= values[b + 1];
    if (!fits)
      throw ShapeError(
          fmt::format("attention: {}: expected offsets that rise from 0 to {}, got [{}]", name, rows.size(0),
                      fmt::join(cu.data_ptr<int32_t>(), cu.data_ptr<int32_t>() + cu.numel(), ", ")));
    for (int64_t b = 0; b + 1 < cu.size(0); ++b)
      if (values[b + 1] - values[b] > longest)
        throw ShapeError(fmt::format(
            "attention: {}: expected no sequence longer than the {} that is given as the longest, got {}",
            name, longest, values[b + 1] - values[b]));
  };
  one(c.packed.cu_seqlens_q, c.q, c.packed.max_q, "cu_seqlens_q");
  one(c.packed.cu_seqlens_k, c.k, c.packed.max_k, "cu_seqlens_k");
  if (c.packed.cu_seqlens_q.size(0) != c.packed.cu_seqlens_k.size(0))
    throw ShapeError(
        fmt::format("attention: expected cu_seqlens_q and cu_seqlens_k of one length, got {} and {}",
                    c.packed.cu_seqlens_q.size(0), c.packed.cu_seqlens_k.size(0)));
}

void check_used(const AttentionCall& c) {
  const auto& used = c.used_k;
  const bool shaped = !c.is_packed() && used.scalar_type() == at::kInt &&
                      used.sizes() == at::IntArrayRef({c.batch()}) && used.device() == c.q.device();
  if (!shaped)
    throw ShapeError(fmt::format(
        "attention: used_k: expected int32 [{}] on {} and no packed batch, got {} {} on {}", c.batch(),
        c.q.device().str(), toString(used.scalar_type()), shape(used), used.device().str()));
  if (!used.is_cpu()) return;  // reading it would wait for the device
  for (int64_t b = 0; b < c.batch(); ++b)
    if (const int64_t n = used[b].item<int32_t>(); n < 0 || n > c.lk())
      throw ShapeError(
          fmt::format("attention: used_k: expected numbers of keys in [0, {}], got {}", c.lk(), n));
}

}  // namespace

double AttentionCall::scale() const {
  return options.scale.value_or(1.0 /
                                std::sqrt(static_cast<double>(std::max<int64_t>(1, q.size(q.dim() - 1)))));
}
int64_t AttentionCall::window_left() const { return options.window_left.value_or(flash::Band::kUnlimited); }
int64_t AttentionCall::window_right() const {
  return options.causal ? 0 : options.window_right.value_or(flash::Band::kUnlimited);
}
flash::Dropout AttentionCall::dropout() const {
  return {static_cast<float>(options.dropout), static_cast<uint64_t>(options.seed),
          static_cast<uint32_t>(options.offset)};
}

void check(const AttentionCall& call) {
  check_operands(call);
  check_range(call);
  if (call.is_packed()) check_packed(call);
  if (call.used_k.defined()) check_used(call);
  check_masks(call);
}

}  // namespace gen::ops
