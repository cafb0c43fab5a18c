#include "flash/scalar_kernel.cuh"

namespace gen::flash {

template int launch_scalar_forward<64>(const ForwardArguments&, int64_t, cudaStream_t);
template int launch_scalar_grads<64>(const GradArguments&, int64_t, const Order&, int64_t, const Order&,
                                     cudaStream_t);
template int launch_bias_grads<64>(const BiasGradArguments&, int64_t, cudaStream_t);

}  // namespace gen::flash
