#include "flash/forward_kernel.cuh"

namespace gen::flash {

template int launch_forward<80, false>(const ForwardArguments&, int64_t, cudaStream_t);
template int launch_forward<80, true>(const ForwardArguments&, int64_t, cudaStream_t);
template int launch_forward_short<80>(const ForwardArguments&, int64_t, cudaStream_t);

}  // namespace gen::flash
