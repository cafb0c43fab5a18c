#include "gen/ops/attention.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <cstdlib>
#include <string_view>

#include "gen/core/error.h"
#include "ops/attention/call.h"
#include "ops/attention/compare.h"
#include "ops/attention/flash_op.h"
#include "ops/attention/reference.h"
#include "ops/attention/sdpa.h"
#include "ops/simd/kernels.h"

namespace gen::ops {
namespace {

/// What GEN_ATTENTION says.
AttentionPath path_from_environment() {
  const char* name = std::getenv("GEN_ATTENTION");
  if (name == nullptr || *name == 0) return AttentionPath::automatic;
  for (const auto& [known, path] : kAttentionPaths)
    if (std::string_view(name) == known) return path;
  throw ConfigError(
      fmt::format("GEN_ATTENTION: expected auto, fused, sdpa, reference or check, got \"{}\"", name));
}

/// `with_lse`: the log-sum-exp is asked for, which torch's does not give.
AttentionPath path_of(const AttentionCall& c, bool with_lse) {
  if (c.options.path != AttentionPath::automatic) return c.options.path;
  static const AttentionPath from_environment = path_from_environment();
  if (from_environment != AttentionPath::automatic) return from_environment;
  const bool fused = flash_refusal(c).empty();
  if (!with_lse && fused && sdpa_is_preferred(c, simd::kernels().instruction_set)) return AttentionPath::sdpa;
  if (fused) return AttentionPath::fused;
  return !with_lse && sdpa_refusal(c).empty() ? AttentionPath::sdpa : AttentionPath::reference;
}

void refuse(const char* path, const std::string& why) {
  if (!why.empty()) throw ConfigError(fmt::format("attention: the {} path cannot do this: {}", path, why));
}

AttentionResult compute(const AttentionCall& c, bool with_lse) {
  check(c);
  switch (path_of(c, with_lse)) {
    case AttentionPath::reference:
      return reference_attention(c);
    case AttentionPath::sdpa:
      refuse("sdpa", sdpa_refusal(c));
      return {sdpa_attention(c), at::Tensor()};
    case AttentionPath::check:
      refuse("fused", flash_refusal(c));
      return compared_attention(c);
    case AttentionPath::automatic:
    case AttentionPath::fused:
      break;
  }
  refuse("fused", flash_refusal(c));
  return flash_attention(c);
}

}  // namespace

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     const AttentionOptions& options) {
  return compute({q, k, v, options, {}, {}}, /*with_lse=*/false).out;
}

AttentionResult attention_with_lse(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                   const AttentionOptions& options) {
  auto result = compute({q, k, v, options, {}, {}}, /*with_lse=*/true);
  if (!result.lse.defined()) refuse("sdpa", "it gives no log-sum-exp");
  return result;
}

AttentionResult packed_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                 const PackedSequences& sequences, const AttentionOptions& options) {
  if (!sequences.cu_seqlens_q.defined() || !sequences.cu_seqlens_k.defined())
    throw ShapeError("attention: expected cu_seqlens_q and cu_seqlens_k of the packed batch, got none");
  return compute({q, k, v, options, sequences, {}}, /*with_lse=*/true);
}

KeyValueCache make_key_value_cache(int64_t batch, int64_t kv_heads, int64_t capacity, int64_t dim,
                                   const at::TensorOptions& options) {
  const auto make = [&] { return at::zeros({batch, kv_heads, capacity, dim}, options); };
  return {make(), make(), at::zeros({batch}, options.dtype(at::kInt))};
}

at::Tensor cached_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            KeyValueCache& cache, const AttentionOptions& options) {
  const at::NoGradGuard no_grad;
  const int64_t added = k.dim() == 4 ? k.size(2) : -1, capacity = cache.k.size(2);
  const bool fits = q.dim() == 4 && k.dim() == 4 && k.sizes() == v.sizes() && k.size(0) == cache.k.size(0) &&
                    k.size(1) == cache.k.size(1) && k.size(3) == cache.k.size(3) && q.size(2) <= added;
  if (!fits)
    throw ShapeError(fmt::format(
        "cached_attention: expected k, v [{}, {}, L, {}] and q of at most L rows, got k [{}], v [{}], q [{}]",
        cache.k.size(0), cache.k.size(1), cache.k.size(3), fmt::join(k.sizes(), ", "),
        fmt::join(v.sizes(), ", "), fmt::join(q.sizes(), ", ")));
  const int64_t longest = k.size(0) == 0 ? 0 : cache.lengths.max().item<int64_t>();
  if (longest + added > capacity)
    throw ShapeError(fmt::format("cached_attention: expected room for {} more tokens, got {} of {} in use",
                                 added, longest, capacity));
  // Row b, token t goes to place lengths[b] + t.
  const auto place =
      cache.lengths.to(at::kLong).unsqueeze(1) + at::arange(added, cache.lengths.options().dtype(at::kLong));
  const auto index = place.unsqueeze(1).unsqueeze(3).expand(k.sizes());
  cache.k.scatter_(2, index, k.to(cache.k.scalar_type()));
  cache.v.scatter_(2, index, v.to(cache.v.scalar_type()));
  cache.lengths.add_(added);
  return compute({q,
                  cache.k.slice(2, 0, longest + added),
                  cache.v.slice(2, 0, longest + added),
                  options,
                  {},
                  cache.lengths},
                 /*with_lse=*/false)
      .out;
}

}  // namespace gen::ops
