#include "flash/forward_kernel.cuh"

namespace gen::flash {

template int launch_forward<160, false>(const ForwardArguments&, int64_t, cudaStream_t);
template int launch_forward<160, true>(const ForwardArguments&, int64_t, cudaStream_t);
template int launch_forward_short<160>(const ForwardArguments&, int64_t, cudaStream_t);

}  // namespace gen::flash
