#include "flash/forward_kernel.cuh"

namespace gen::flash {

template int launch_forward<96, false>(const ForwardArguments&, int64_t, cudaStream_t);
template int launch_forward_short<96>(const ForwardArguments&, int64_t, cudaStream_t);

}  // namespace gen::flash
