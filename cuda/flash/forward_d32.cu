#include "flash/forward_kernel.cuh"

namespace gen::flash {

template int launch_forward<32, false>(const ForwardArguments&, int64_t, cudaStream_t);
template int launch_forward_short<32>(const ForwardArguments&, int64_t, cudaStream_t);

}  // namespace gen::flash
