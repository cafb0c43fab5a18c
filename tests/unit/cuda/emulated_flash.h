// The sm_80 attention kernels, whole bodies, on emulated blocks: forward, and backward in its order of kernels.
#pragma once

#include <torch/torch.h>

#include "flash/key_grads.h"
#include "flash/plan.h"
#include "ops/attention/flash_arguments.h"
#include "support/emulated_machine.h"
#include "support/support.h"
#include "unit/ops/attention_cases.h"

namespace gen::test {

struct FlashOutputs {
  at::Tensor out, lse, q, k, v, bias;
  int64_t matrix_reads = 0, conflicted_reads = 0;

  void count(const EmulatedCounts& counts) {
    matrix_reads += counts.matrix_reads;
    conflicted_reads += counts.conflicted_reads;
  }
};

inline at::Tensor poisoned(const at::Tensor& like) { return at::full(like.sizes(), NAN, like.options()); }

/// How a run of the kernels differs from another without changing what is computed.
struct FlashRun {
  bool backwards = false;     ///< the order in which warps and lanes move
  bool deterministic = true;  ///< else dQ by atomics
  int multiprocessors = 1;    ///< many: few queries are split
};

/// The kernels that a plan names, as cuda/flash/flash.cu launches them.
class EmulatedFlash {
 public:
  EmulatedFlash(const ops::AttentionCall& call, FlashRun run)
      : call_(call), run_(run), prepared_(ops::prepare(call)) {}

  FlashOutputs operator()(const at::Tensor& grad_out, bool bias_grad = false) {
    const bool packed = call_.is_packed();
    FlashOutputs o;
    o.out = poisoned(call_.q), o.q = poisoned(call_.q), o.k = poisoned(call_.k), o.v = poisoned(call_.v);
    if (bias_grad) o.bias = at::zeros(call_.options.bias.sizes(), at::kFloat);
    o.lse = packed ? at::full({call_.heads(), call_.q.size(0)}, NAN, at::kFloat)
                   : at::full({call_.batch(), call_.heads(), call_.lq()}, NAN, at::kFloat);
    const flash::ForwardResult result{o.out.data_ptr(), ops::strides_of(o.out), o.lse.data_ptr<float>(),
                                      packed ? 0 : o.lse.stride(0), o.lse.stride(packed ? 0 : 1)};
    forward(result, o);
    if (grad_out.defined()) backward(result, grad_out, o);
    return o;
  }

  flash::ForwardPlan forward_plan;
  flash::BackwardPlan backward_plan;

 private:
  const flash::Problem& problem() const { return prepared_.problem; }

  void forward(const flash::ForwardResult& result, FlashOutputs& o) {
    auto& plan = forward_plan = flash::plan_forward(problem(), result, {run_.multiprocessors, 8});
    if (plan.choice.refusal != nullptr) throw std::logic_error(plan.choice.refusal);
    const auto room = at::full({static_cast<int64_t>(plan.workspace_bytes / 4) + 1}, NAN, at::kFloat);
    flash::use_workspace(plan, room.data_ptr());
    const auto& a = plan.arguments;
    const auto& c = plan.choice;
    if (c.arithmetic == flash::Arithmetic::scalar) {
      by_scalar_dim(c.dim, [&](auto dim) {
        over<flash::ScalarTile<dim()>>(plan.blocks, o,
                                       [&](auto& m) { flash::scalar_forward<dim(), float>(m, a); });
      });
    } else {
      by_dim(c.dim, [&](auto dim) {
        by_element([&](auto element) {
          using T = decltype(element);
          if (c.short_keys) {
            if constexpr (dim() <= flash::kShortMostDim) {
              using Tile = flash::ShortTile<dim()>;
              over<Tile>(plan.blocks, o, [&](auto& m) { flash::forward_short<Tile, T>(m, a); });
            }
          } else if (c.general) {
            using Tile = flash::ForwardTile<dim(), true>;
            over<Tile>(plan.blocks, o, [&](auto& m) { flash::forward<Tile, T, flash::General>(m, a); });
          } else {
            using Tile = flash::ForwardTile<dim(), false>;
            over<Tile>(plan.blocks, o, [&](auto& m) { flash::forward<Tile, T, flash::Plain>(m, a); });
          }
        });
      });
    }
    if (a.parts.splits == 1) return;
    auto rows = a;
    rows.order = flash::order_of(problem().lq, flash::kRowThreads / flash::kLanes, problem().heads);
    by_element([&](auto element) {
      over_rows(rows.order, o, [&](auto& m) { flash::combine_parts<decltype(element)>(m, rows); });
    });
  }

  flash::BackwardArguments backward_arguments(const flash::ForwardResult& result, const at::Tensor& grad_out,
                                              const at::Tensor& delta, FlashOutputs& o) const {
    flash::BackwardArguments b;
    b.forward = result;
    b.grad_out = grad_out.data_ptr();
    b.grad_out_strides = ops::strides_of(grad_out);
    b.delta = delta.data_ptr<float>();
    b.grad_q = o.q.data_ptr(), b.grad_k = o.k.data_ptr(), b.grad_v = o.v.data_ptr();
    b.grad_q_strides = ops::strides_of(o.q), b.grad_k_strides = ops::strides_of(o.k);
    b.grad_v_strides = ops::strides_of(o.v);
    b.deterministic = run_.deterministic;
    if (o.bias.defined()) {
      b.grad_bias = o.bias.data_ptr<float>();
      for (int64_t i = 0; i < o.bias.dim(); ++i) b.grad_bias_sizes[4 - o.bias.dim() + i] = o.bias.size(i);
    }
    return b;
  }

  void backward(const flash::ForwardResult& result, const at::Tensor& grad_out, FlashOutputs& o) {
    const auto delta = at::full(o.lse.sizes(), NAN, at::kFloat);
    auto& plan = backward_plan =
        flash::plan_backward(problem(), backward_arguments(result, grad_out, delta, o));
    if (plan.choice.refusal != nullptr) throw std::logic_error(plan.choice.refusal);
    const auto added = at::zeros({static_cast<int64_t>(plan.workspace_bytes / 4) + 1}, at::kFloat);
    if (plan.atomic) plan.arguments.query_grads = added.data_ptr<float>();
    auto rows = plan.arguments, keys = plan.arguments, queries = plan.arguments;
    rows.order = plan.rows, keys.order = plan.keys, queries.order = plan.queries;
    if (plan.choice.arithmetic == flash::Arithmetic::scalar)
      scalar_backward(rows, keys, queries, o);
    else
      tensor_backward(rows, keys, queries, o);
    if (plan.bias_blocks > 0) bias_backward(o);
  }

  void scalar_backward(const flash::GradArguments& rows, const flash::GradArguments& keys,
                       const flash::GradArguments& queries, FlashOutputs& o) {
    over_rows(rows.order, o, [&](auto& m) { flash::delta_rows<float>(m, rows); });
    by_scalar_dim(backward_plan.choice.dim, [&](auto dim) {
      using Tile = flash::ScalarTile<dim()>;
      over<Tile>(blocks(keys), o, [&](auto& m) { flash::scalar_key_grads<dim(), float>(m, keys); });
      over<Tile>(blocks(queries), o, [&](auto& m) { flash::scalar_query_grads<dim(), float>(m, queries); });
    });
  }

  void tensor_backward(const flash::GradArguments& rows, const flash::GradArguments& keys,
                       const flash::GradArguments& queries, FlashOutputs& o) {
    by_element([&](auto element) {
      using T = decltype(element);
      over_rows(rows.order, o, [&](auto& m) { flash::delta_rows<T>(m, rows); });
      by_dim(backward_plan.choice.dim, [&](auto dim) {
        if (backward_plan.choice.general)
          tile_backward<dim(), true, T, flash::General>(keys, queries, o);
        else
          tile_backward<dim(), false, T, flash::Plain>(keys, queries, o);
      });
      if (backward_plan.atomic)
        over_rows(rows.order, o, [&](auto& m) { flash::finish_query_grads<T>(m, rows); });
    });
  }

  template <int Dim, bool kGeneral, typename T, typename Rule>
  void tile_backward(const flash::GradArguments& keys, const flash::GradArguments& queries, FlashOutputs& o) {
    using KeyTile = flash::KeyGradTile<Dim, kGeneral>;
    using QueryTile = flash::QueryGradTile<Dim, kGeneral>;
    over<KeyTile>(blocks(keys), o, [&](auto& m) { flash::key_grads<KeyTile, T, Rule>(m, keys); });
    if (!backward_plan.atomic)
      over<QueryTile>(blocks(queries), o,
                      [&](auto& m) { flash::query_grads<QueryTile, T, Rule>(m, queries); });
  }

  void bias_backward(FlashOutputs& o) {
    const flash::BiasGradArguments a{backward_plan.arguments, backward_plan.bias};
    by_scalar_dim(flash::scalar_tile_dim(problem().dim), [&](auto dim) {
      const auto run = [&](auto element) {
        over<flash::ScalarTile<dim()>>(backward_plan.bias_blocks, o,
                                       [&](auto& m) { flash::bias_grads<dim(), decltype(element)>(m, a); });
      };
      if (problem().dtype == flash::DType::f32)
        run(float());
      else
        by_element(run);
    });
  }

  template <typename Body>
  void by_element(const Body& body) {
    if (problem().dtype == flash::DType::f16)
      body(flash::F16());
    else
      body(flash::Bf16());
  }
  template <int... Dims, typename Body>
  static void among(int dim, const Body& body) {
    const bool found = ((dim == Dims ? (body(std::integral_constant<int, Dims>()), true) : false) || ...);
    if (!found) throw std::logic_error("no tile of this dimension");
  }
  template <typename Body>
  static void by_dim(int dim, const Body& body) {
    among<32, 40, 64, 72, 80, 96, 128, 160, 256>(dim, body);
  }
  template <typename Body>
  static void by_scalar_dim(int dim, const Body& body) {
    among<64, 128, 256>(dim, body);
  }

  int64_t blocks(const flash::GradArguments& a) const { return flash::blocks_of(a.order, problem().batch); }
  template <typename Tile, typename Body>
  void over(int64_t blocks, FlashOutputs& o, const Body& body) {
    o.count(emulate_machine(blocks, Tile::kThreads, Tile::kSharedBytes, run_.backwards, body));
  }
  template <typename Body>
  void over_rows(const flash::Order& order, FlashOutputs& o, const Body& body) {
    o.count(emulate_machine(flash::blocks_of(order, problem().batch), flash::kRowThreads, 16, run_.backwards,
                            body));
  }

  ops::AttentionCall call_;
  FlashRun run_;
  ops::PreparedProblem prepared_;
};

}  // namespace gen::test
