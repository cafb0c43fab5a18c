// What libgen_cuda.so exports for attention: a plan, and the kernels that it names. On Hopper the forward pass goes to
// flash_hopper/ where that takes the problem.
#include <cuda_runtime.h>

#include <type_traits>

#include "flash/kernels.h"
#include "flash_hopper/hopper.h"
#include "gen/ops/flash/launchers.h"

namespace gen::flash {
namespace {

constexpr int kRefused = -1;

int this_gpu(Gpu& gpu) {
  int device = 0;
  if (const int error = cudaGetDevice(&device); error != 0) return error;
  if (const int error = cudaDeviceGetAttribute(&gpu.multiprocessors, cudaDevAttrMultiProcessorCount, device);
      error != 0)
    return error;
  return cudaDeviceGetAttribute(&gpu.major, cudaDevAttrComputeCapabilityMajor, device);
}

/// body(std::integral_constant<int, D>()) for the D among Dims that `dim` is.
template <int... Dims, class Body>
int by_dim(int dim, Body body) {
  int result = kRefused;
  (void)((dim == Dims ? (result = body(std::integral_constant<int, Dims>()), true) : false) || ...);
  return result;
}
template <class Body>
int by_general_dim(int dim, Body body) {
  return by_dim<40, 64, 80, 128, 160, 256>(dim, body);
}
template <class Body>
int by_scalar_dim(int dim, Body body) {
  return by_dim<64, 128, 256>(dim, body);
}

int run_forward(const ForwardPlan& plan, cudaStream_t stream) {
  const ForwardArguments& a = plan.arguments;
  const Choice& c = plan.choice;
  if (c.arithmetic == Arithmetic::scalar)
    return by_scalar_dim(c.dim,
                         [&](auto dim) { return launch_scalar_forward<dim()>(a, plan.blocks, stream); });
  if (c.short_keys)
    return by_dim<32, 40, 64, 72, 80, 96, 128, 160>(
        c.dim, [&](auto dim) { return launch_forward_short<dim()>(a, plan.blocks, stream); });
  if (c.general)
    return by_general_dim(c.dim,
                          [&](auto dim) { return launch_forward<dim(), true>(a, plan.blocks, stream); });
  return by_dim<32, 40, 64, 72, 80, 96, 128, 160, 256>(
      c.dim, [&](auto dim) { return launch_forward<dim(), false>(a, plan.blocks, stream); });
}

int combine(const ForwardPlan& plan, cudaStream_t stream) {
  if (plan.arguments.parts.splits == 1) return cudaSuccess;
  ForwardArguments a = plan.arguments;
  a.order = order_of(a.problem.lq, kRowThreads / kLanes, a.problem.heads);
  return launch_combine(a, blocks_of(a.order, a.problem.batch), stream);
}

int run_key_grads(const BackwardPlan& plan, cudaStream_t stream) {
  GradArguments a = plan.arguments;
  a.order = plan.keys;
  const int64_t blocks = blocks_of(a.order, a.problem.batch);
  if (plan.choice.general)
    return by_general_dim(plan.choice.dim,
                          [&](auto dim) { return launch_key_grads<dim(), true>(a, blocks, stream); });
  return by_dim<40, 64, 72, 80, 96, 128, 160>(
      plan.choice.dim, [&](auto dim) { return launch_key_grads<dim(), false>(a, blocks, stream); });
}

int run_query_grads(const BackwardPlan& plan, cudaStream_t stream) {
  GradArguments a = plan.arguments;
  a.order = plan.atomic ? plan.rows : plan.queries;
  const int64_t blocks = blocks_of(a.order, a.problem.batch);
  if (plan.atomic) return launch_finish_query_grads(a, blocks, stream);
  if (plan.choice.general)
    return by_general_dim(plan.choice.dim,
                          [&](auto dim) { return launch_query_grads<dim(), true>(a, blocks, stream); });
  return by_dim<40, 64, 72, 80, 96, 128, 160>(
      plan.choice.dim, [&](auto dim) { return launch_query_grads<dim(), false>(a, blocks, stream); });
}

int run_bias_grads(const BackwardPlan& plan, cudaStream_t stream) {
  if (plan.bias_blocks == 0) return cudaSuccess;
  const BiasGradArguments a{plan.arguments, plan.bias};
  return by_scalar_dim(scalar_tile_dim(a.grads.problem.dim),
                       [&](auto dim) { return launch_bias_grads<dim()>(a, plan.bias_blocks, stream); });
}

int run_backward(const BackwardPlan& plan, cudaStream_t stream) {
  GradArguments a = plan.arguments;
  const int64_t batch = a.problem.batch;
  a.order = plan.rows;
  if (const int error = launch_delta(a, blocks_of(a.order, batch), stream); error != 0) return error;
  if (plan.choice.arithmetic == Arithmetic::scalar) {
    const int error = by_scalar_dim(plan.choice.dim, [&](auto dim) {
      return launch_scalar_grads<dim()>(a, blocks_of(plan.keys, batch), plan.keys,
                                        blocks_of(plan.queries, batch), plan.queries, stream);
    });
    if (error != 0) return error;
  } else {
    if (const int error = run_key_grads(plan, stream); error != 0) return error;
    if (const int error = run_query_grads(plan, stream); error != 0) return error;
  }
  return run_bias_grads(plan, stream);
}

bool goes_to_hopper(const Problem& problem, const ForwardPlan& plan, const Gpu& gpu) {
  return gpu.major == 9 && plan.arguments.parts.splits == 1 && plan.arguments.aligned_out &&
         flash_hopper::supports(problem);
}

}  // namespace
}  // namespace gen::flash

using gen::ops::flash::BackwardArguments;
using gen::ops::flash::ForwardResult;
using gen::ops::flash::Problem;

extern "C" __attribute__((visibility("default"))) size_t gen_cuda_flash_workspace(const Problem* problem,
                                                                                  int backward,
                                                                                  int deterministic) {
  using namespace gen::flash;
  if (backward != 0) {
    BackwardArguments arguments;
    arguments.deterministic = deterministic != 0;
    return plan_backward(*problem, arguments).workspace_bytes;
  }
  Gpu gpu;
  if (this_gpu(gpu) != 0) return 0;
  return plan_forward(*problem, {}, gpu).workspace_bytes;
}

extern "C" __attribute__((visibility("default"))) int gen_cuda_flash_forward(const Problem* problem,
                                                                             const ForwardResult* result,
                                                                             void* workspace,
                                                                             size_t workspace_bytes,
                                                                             void* stream) {
  using namespace gen::flash;
  Gpu gpu;
  if (const int error = this_gpu(gpu); error != 0) return error;
  ForwardPlan plan = plan_forward(*problem, *result, gpu);
  if (plan.choice.refusal != nullptr || workspace_bytes < plan.workspace_bytes) return kRefused;
  use_workspace(plan, workspace);
  const auto on = static_cast<cudaStream_t>(stream);
  if (goes_to_hopper(*problem, plan, gpu)) return gen::flash_hopper::forward(*problem, *result, on);
  if (const int error = run_forward(plan, on); error != 0) return error;
  return combine(plan, on);
}

extern "C" __attribute__((visibility("default"))) int gen_cuda_flash_backward(
    const Problem* problem, const BackwardArguments* arguments, void* workspace, size_t workspace_bytes,
    void* stream) {
  using namespace gen::flash;
  BackwardPlan plan = plan_backward(*problem, *arguments);
  if (plan.choice.refusal != nullptr || workspace_bytes < plan.workspace_bytes) return kRefused;
  const auto on = static_cast<cudaStream_t>(stream);
  if (plan.atomic) {
    plan.arguments.query_grads = static_cast<float*>(workspace);
    if (const int error = cudaMemsetAsync(workspace, 0, plan.workspace_bytes, on); error != 0) return error;
  }
  return run_backward(plan, on);
}
