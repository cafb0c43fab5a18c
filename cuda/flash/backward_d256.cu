#include "flash/backward_kernel.cuh"

namespace gen::flash {

template int launch_key_grads<256, true>(const GradArguments&, int64_t, cudaStream_t);
template int launch_query_grads<256, true>(const GradArguments&, int64_t, cudaStream_t);

}  // namespace gen::flash
